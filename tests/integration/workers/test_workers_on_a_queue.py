"""The workers with their queue, their database and their runtime; only the gateway is missing."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlmodel import col

from inventory_worker.adapters.inventory import SqlInventory
from inventory_worker.domain import Stock
from inventory_worker.service import StockCount
from order_worker.adapters.orders import SqlOrders
from order_worker.domain import Order
from shared.events import Envelope, Event, new_id
from shared.events.inventory import InventoryReleased, InventoryReserved
from shared.events.orders import OrderCancelled, OrderPaid, OrderShipped
from shared.queue import RedisSender
from shared.queue.connection import connect
from shared.store.database import Database
from shared.store.tables import Inbox, Outbox
from support.waiting import eventually
from unit.inventory.examples import line, of
from unit.orders.examples import cancelled, order_created, paid, shipped

orders = pytest.mark.parametrize("service", ["order_worker"], indirect=True)
inventory = pytest.mark.parametrize("service", ["inventory_worker"], indirect=True)

Publish = Callable[[Event], Awaitable[str]]
"""Sends an event as the gateway does, and answers its id."""

PAID = OrderPaid(order_id="order-1", payment_id="payment-1", amount=3700, currency="EUR")
SHIPPED = OrderShipped(order_id="order-1", carrier="DHL", tracking_number="00340434161094042557")
CANCELLED = OrderCancelled(order_id="order-1", reason="changed my mind")
RESERVED = InventoryReserved(order_id="order-1", lines=(line("mug", 2), line("pot", 1)))


@pytest.fixture
def redis_address(redis_url: str) -> str:
    return redis_url


@pytest.fixture
async def publish(started: FastAPI, redis_url: str) -> AsyncIterator[Publish]:
    client = connect(redis_url)
    sender = RedisSender(client, opens=True)

    async def send(event: Event) -> str:
        envelope = Envelope(
            id=new_id(),
            type=event.type,
            source="test",
            time=datetime.now(UTC),
            correlation_id="story-1",
            data=event.to_json(),
        )
        assert await sender.send(event.queue, [envelope])
        return envelope.id

    yield send
    await client.aclose()


async def outcome(database: Database, event_id: str) -> tuple[str, str | None]:
    async def ended() -> Inbox | None:
        async with database.reading() as session:
            return await session.get(Inbox, (event_id, 0))

    inbox = await eventually(ended, within=20)
    assert inbox is not None
    return inbox.outcome, inbox.reason


async def caused_by(database: Database, event_id: str) -> list[str]:
    """The types that an event caused, and the templates of its notifications."""
    async with database.reading() as session:
        rows = await session.scalars(select(Outbox).where(col(Outbox.causation_id) == event_id))
        caused = rows.all()
    assert {row.correlation_id for row in caused} <= {"story-1"}
    return sorted(json.loads(row.data).get("template", row.type) for row in caused)


async def the_order(database: Database) -> Order:
    async with database.reading() as session:
        return await SqlOrders(session).find("order-1")


async def stock_of(database: Database, sku: str) -> Stock:
    async with database.reading() as session:
        return await SqlInventory(session).find(sku)


async def set_stock(database: Database, sku: str, on_hand: int, threshold: int = 0) -> None:
    async with database.transaction() as session:
        await StockCount(SqlInventory(session)).set_to(sku, on_hand, threshold)


@orders
async def test_an_order_goes_its_way_and_causes_what_belongs_to_it(
    database: Database, publish: Publish
) -> None:
    created = await publish(order_created())
    assert await outcome(database, created) == ("completed", None)
    assert await caused_by(database, created) == ["INVENTORY_RESERVED", "order-confirmation"]

    receipt = await publish(PAID)
    assert await outcome(database, receipt) == ("completed", None)
    assert await caused_by(database, receipt) == ["payment-receipt"]

    parcel = await publish(SHIPPED)
    assert await outcome(database, parcel) == ("completed", None)
    assert await caused_by(database, parcel) == ["order-shipped"]
    assert await the_order(database) == shipped()


@orders
async def test_events_that_come_too_early_wait_for_the_others(database: Database, publish: Publish) -> None:
    early = [await publish(SHIPPED), await publish(PAID)]
    created = await publish(order_created())

    for event_id in (created, *early):
        assert await outcome(database, event_id) == ("completed", None)
    assert await the_order(database) == shipped()


@orders
async def test_a_cancelled_order_stays_cancelled_when_its_payment_arrives(
    database: Database, publish: Publish
) -> None:
    await outcome(database, await publish(order_created()))
    cancel = await publish(CANCELLED)
    await outcome(database, cancel)

    late = await publish(PAID)

    assert await outcome(database, late) == ("completed", None)
    assert await caused_by(database, cancel) == ["INVENTORY_RELEASED", "order-cancelled"]
    assert await caused_by(database, late) == ["PAYMENT_REFUNDED"]
    assert await the_order(database) == cancelled(payment_id="payment-1")


@orders
@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (order_created(name="Charles Babbage"), "order_conflict"),
        (PAID.model_copy(update={"amount": 3699}), "amount_mismatch"),
        (PAID.model_copy(update={"payment_id": "payment-2"}), "order_conflict"),
    ],
    ids=["another order", "another amount", "a second payment"],
)
async def test_what_contradicts_an_order_is_dead_and_changes_nothing(
    database: Database, publish: Publish, refused: Event, reason: str
) -> None:
    await outcome(database, await publish(order_created()))
    await outcome(database, await publish(PAID))

    contradiction = await publish(refused)

    assert await outcome(database, contradiction) == ("dead", reason)
    assert await caused_by(database, contradiction) == []
    assert await the_order(database) == paid()


@orders
async def test_a_shipped_order_is_not_cancelled(database: Database, publish: Publish) -> None:
    for event in (order_created(), PAID, SHIPPED):
        await outcome(database, await publish(event))

    assert await outcome(database, await publish(CANCELLED)) == ("dead", "illegal_transition")
    assert await the_order(database) == shipped()


@inventory
async def test_stock_is_reserved_and_released(database: Database, publish: Publish) -> None:
    await set_stock(database, "mug", 10)
    await set_stock(database, "pot", 3)

    assert await outcome(database, await publish(RESERVED)) == ("completed", None)
    assert await stock_of(database, "mug") == of("mug", 10, reserved=2)

    released = InventoryReleased(order_id="order-1", reason="order_cancelled")
    assert await outcome(database, await publish(released)) == ("completed", None)
    assert await stock_of(database, "mug") == of("mug", 10)


@inventory
async def test_a_short_order_is_cancelled(database: Database, publish: Publish) -> None:
    await set_stock(database, "mug", 10)

    short = await publish(RESERVED)

    assert await outcome(database, short) == ("completed", None)
    assert await caused_by(database, short) == ["ORDER_CANCELLED"]
    assert await stock_of(database, "mug") == of("mug", 10)


@inventory
async def test_the_operators_hear_of_stock_that_falls_below_its_threshold(
    database: Database, publish: Publish
) -> None:
    await set_stock(database, "mug", 10, 9)
    await set_stock(database, "pot", 3)

    fall = await publish(RESERVED)

    assert await outcome(database, fall) == ("completed", None)
    assert await caused_by(database, fall) == ["LOW_STOCK_ALERT"]

    async def told() -> dict[str, object] | None:
        async with database.reading() as session:
            rows = await session.scalars(select(Outbox).where(col(Outbox.type) == "send-notification"))
            row = rows.first()
        return None if row is None else json.loads(row.data)

    notification = await eventually(told, within=20)
    assert notification is not None
    assert notification["recipient"] == {"email": "ops@example.com"}
    assert notification["variables"] == {"sku": "mug", "available": 8, "threshold": 9}
