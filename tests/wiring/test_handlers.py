"""Handlers of a declared queue under FastStream's own test broker: no Redis, no database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, cast

import pytest
from faststream import BaseMiddleware, Context, Depends, FastStream
from faststream.exceptions import SubscriberNotFound
from faststream.redis import TestRedisBroker
from faststream.specification import AsyncAPI
from sqlalchemy.ext.asyncio import AsyncSession

from notification_worker.handlers import notifications
from notification_worker.settings import Settings as NotificationSettings
from shared.events import EXAMPLES, Event, OrderCreated, OrderShipped, new_id
from shared.queue import ConsumerOptions, GiveUpError, MemoryLedger, Queue, QueueBroker
from shared.service.worker import create_worker
from shared.store.unit import CurrentUnit, Unit, working
from support.deliveries import envelope
from support.queueing import NORMAL, shipped

NOWHERE = "redis://127.0.0.1:1/0"


@dataclass
class Seen:
    events: list[Event] = field(default_factory=list[Event])
    units: list[Unit] = field(default_factory=list[Unit])
    scopes: list[str] = field(default_factory=list[str])


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def queue(seen: Seen) -> Queue:
    orders = Queue("orders")

    def shop() -> str:
        return "shop"

    def service(unit: CurrentUnit, name: Annotated[str, Depends(shop)]) -> tuple[Unit, str]:
        return unit, name

    @orders.on(OrderShipped)
    async def on_order_shipped(
        event: OrderShipped, service: Annotated[tuple[Unit, str], Depends(service)]
    ) -> None:
        unit, name = service
        seen.events.append(event)
        seen.units.append(unit)
        seen.scopes.append(f"handled by {name}")

    @orders.on(OrderCreated)
    async def on_order_created(event: OrderCreated, message_id: str = Context("message.message_id")) -> None:
        seen.events.append(event)

    return orders


@pytest.fixture
async def broker(queue: Queue, seen: Seen) -> AsyncIterator[QueueBroker]:
    class Note(BaseMiddleware):
        async def consume_scope(self, call_next: Any, msg: Any) -> Any:
            seen.scopes.append(f"before {msg.headers['type']}")
            try:
                return await call_next(msg)
            finally:
                seen.scopes.append("after")

    broker = QueueBroker(NOWHERE, logger=None, middlewares=[Note])
    broker.serve(queue, ledger=MemoryLedger(), options=ConsumerOptions("test"))
    async with TestRedisBroker(broker) as tested:
        yield cast("QueueBroker", tested)


@pytest.fixture
def unit() -> Unit:
    return Unit(AsyncSession(), envelope(), "order-worker")


async def publish(broker: QueueBroker, event: Event | dict[str, Any], type_name: str) -> None:
    headers = {"type": type_name, "message_id": new_id(), "time": datetime.now(UTC).isoformat()}
    body: Any = event.to_data() if isinstance(event, Event) else event
    await broker.publish(body, stream=NORMAL, headers=headers)


async def test_a_handler_gets_its_event_and_its_unit(broker: QueueBroker, seen: Seen, unit: Unit) -> None:
    with working(unit):
        await publish(broker, shipped("o"), "ORDER_SHIPPED")

    assert seen.events == [shipped("o")]
    assert seen.units == [unit]


async def test_the_middlewares_of_the_broker_run_around_it(
    broker: QueueBroker, seen: Seen, unit: Unit
) -> None:
    with working(unit):
        await publish(broker, shipped("o"), "ORDER_SHIPPED")

    assert seen.scopes == ["before ORDER_SHIPPED", "handled by shop", "after"]


async def test_an_event_with_tuples_is_read_strictly(broker: QueueBroker, seen: Seen) -> None:
    example = EXAMPLES[OrderCreated]

    await publish(broker, example, "ORDER_CREATED")

    assert seen.events == [example]


async def test_a_text_is_no_number(broker: QueueBroker, seen: Seen) -> None:
    data = EXAMPLES[OrderCreated].to_data()
    data["total"] = str(data["total"])

    with pytest.raises(GiveUpError, match="validation error"):
        await publish(broker, data, "ORDER_CREATED")

    assert seen.events == []


async def test_a_field_more_is_refused(broker: QueueBroker, seen: Seen, unit: Unit) -> None:
    with working(unit), pytest.raises(GiveUpError, match="validation error"):
        await publish(broker, {**shipped("o").to_data(), "extra": 1}, "ORDER_SHIPPED")

    assert seen.events == []


async def test_another_type_is_handled_by_nobody(broker: QueueBroker, seen: Seen) -> None:
    with pytest.raises(SubscriberNotFound):
        await publish(broker, EXAMPLES[OrderShipped], "ORDER_PAID")

    assert seen.events == []


async def test_a_handler_without_a_unit_says_so(broker: QueueBroker) -> None:
    with pytest.raises(LookupError):
        await publish(broker, shipped("o"), "ORDER_SHIPPED")


def test_the_asyncapi_document_lists_handlers_and_payloads(queue: Queue) -> None:
    broker = QueueBroker(NOWHERE, logger=None)
    broker.serve(queue, ledger=MemoryLedger(), options=ConsumerOptions("test"))
    app = FastStream(broker, logger=None, specification=AsyncAPI(title="order-worker"))

    document = app.schema.to_specification().to_jsonable()

    text = str(document)
    assert "OrderShipped" in text
    assert "OrderCreated" in text
    schemas = document["components"]["schemas"]
    payload = next(schema for name, schema in schemas.items() if "OrderShipped" in name)
    assert {"order_id", "carrier", "tracking_number"} <= set(str(payload).replace("'", " ").split())
    assert "{orders}:normal" in text


def test_a_worker_with_effects_outside_has_to_know_their_doubt() -> None:
    given = {"DATABASE_URL": "sqlite:///never-opened.db", "QUEUE_SERVICE_KEY": "a key for this test"}
    settings = NotificationSettings.model_validate(given)

    with pytest.raises(TypeError, match="notifications"):
        create_worker(settings, queue=notifications, description="forgetful")
