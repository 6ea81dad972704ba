"""payment-worker and order-worker as they are started, on a queue; only the gateway is missing."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from adapters.sandbox import Sandbox
from integration.payments.shop import AUTHORIZED, REFUNDED
from order_worker.adapters.orders import SqlOrders
from payment_worker.adapters.tables import PaymentRow
from shared.events import Envelope, Event, new_id
from shared.queue import RedisSender
from shared.queue.connection import connect
from shared.store.database import Database
from shared.store.migrate import migrate
from shared.store.tables import Attempt, Inbox, Outbox
from support.forked import Forked
from support.ports import free_port
from support.waiting import eventually, until
from unit.orders.examples import an_order, cancelled

TAKEN = [("capture", "payment-1", 3700)]


def is_live(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False, timeout=2).is_success
    except httpx.TransportError:
        return False


class Service:
    """One service as a process; `start` starts it again, on its own database."""

    def __init__(self, package: str, directory: Path, environment: Mapping[str, str]) -> None:
        self.package = package
        self.port = free_port()
        self.database_url = f"sqlite:///{directory / package}.db"
        self.log = directory / f"{package}.log"
        name = package.upper()
        self._environment = {
            **environment,
            "DATABASE_URL": self.database_url,
            f"{name}_PORT": str(self.port),
        }
        migrate(self.database_url, package)
        self.started: list[Forked] = []

    @property
    def process(self) -> Forked:
        return self.started[-1]

    def start(self) -> None:
        module = f"{self.package}.__main__"
        directory = self.log.parent
        self.started.append(Forked(module, log=self.log, environment=self._environment, directory=directory))
        until(lambda: is_live(self.port), within=30)

    def end(self) -> None:
        for process in self.started:
            process.end()


class House:
    def __init__(self, orders: Service, payments: Service, redis_url: str) -> None:
        self.orders, self.payments = orders, payments
        self.database = Database(payments.database_url)
        self._client = connect(redis_url)
        self._sender = RedisSender(self._client, opens=True)

    async def publish(self, event: Event) -> str:
        """Sends it as the gateway does, and answers its id."""
        envelope = Envelope(
            id=new_id(),
            type=event.type,
            source="test",
            time=datetime.now(UTC),
            correlation_id="story-1",
            data=event.to_json(),
        )
        assert await self._sender.send(event.queue, [envelope])
        return envelope.id

    async def ended(self, event_id: str) -> Inbox:
        async def found() -> Inbox | None:
            async with self.database.reading() as session:
                return await session.get(Inbox, (event_id, 0))

        inbox = await eventually(found, within=40)
        assert inbox is not None
        return inbox

    async def outcome(self, event_id: str) -> tuple[str, str | None]:
        inbox = await self.ended(event_id)
        return inbox.outcome, inbox.reason

    async def caused_by(self, event_id: str) -> list[str]:
        async with self.database.reading() as session:
            rows = await session.scalars(select(Outbox).where(col(Outbox.causation_id) == event_id))
            return [json.loads(row.data).get("template", row.type) for row in rows]

    async def status(self) -> str | None:
        async with self.database.reading() as session:
            payment = await session.get(PaymentRow, "payment-1")
            return payment and payment.status

    async def close(self) -> None:
        await self.database.close()
        await self._client.aclose()


@pytest.fixture
def services(tmp_path: Path, redis_url: str, sandbox: Sandbox) -> Iterator[tuple[Service, Service]]:
    environment = {
        "REDIS_URL": redis_url,
        "QUEUE_SERVICE_KEY": "a-key-of-the-services-of-this-test",
        "GATEWAY_URL": f"http://127.0.0.1:{free_port()}",
        "PAYMENT_SANDBOX_URL": sandbox.url,
        "PAYMENT_PROVIDER_SECONDS": "6",
        "LOG_LEVEL": "DEBUG",
    }
    orders = Service("order_worker", tmp_path, environment)
    order_worker_url = {"ORDER_WORKER_URL": f"http://127.0.0.1:{orders.port}"}
    payments = Service("payment_worker", tmp_path, environment | order_worker_url)
    try:
        orders.start()
        payments.start()
        yield orders, payments
    finally:
        orders.end()
        payments.end()


@pytest.fixture
async def house(services: tuple[Service, Service], redis_url: str) -> AsyncIterator[House]:
    house = House(*services, redis_url)
    orders = Database(services[0].database_url)
    async with orders.transaction() as session:
        await SqlOrders(session).add(an_order())
    await orders.close()
    yield house
    await house.close()


async def test_an_order_is_paid_and_its_money_given_back(house: House, sandbox: Sandbox) -> None:
    paid = await house.publish(AUTHORIZED)
    assert await house.outcome(paid) == ("completed", None)
    assert await house.caused_by(paid) == ["ORDER_PAID"]

    back = await house.publish(REFUNDED)
    assert await house.outcome(back) == ("completed", None)
    assert await house.caused_by(back) == ["refund"]
    assert sandbox.moved() == [*TAKEN, ("refund", "payment-1", 3700)]


async def test_no_line_of_the_logs_tells_a_token(house: House, sandbox: Sandbox) -> None:
    for number, change in enumerate(({"method": "tok_error_once"}, {"amount": 1}, {"order_id": "none"})):
        event = AUTHORIZED.model_copy(update={"payment_id": f"payment-{number}", **change})
        await house.publish(event)
    wrong = AUTHORIZED.model_copy(update={"payment_id": "payment-0", "method": "tok_other"})

    await eventually(lambda: len(sandbox.moved()) == 1, within=20)
    assert await house.outcome(await house.publish(wrong)) == ("dead", "payment_conflict")
    house.payments.process.stop(within=30)

    output = house.payments.process.output()
    assert "dead" in output
    assert "tok_" not in output
    assert "tok_" not in sandbox.output()


@pytest.mark.parametrize("method", ["tok_slow", "tok_timeout_after_charge"])
async def test_a_worker_killed_during_its_call_takes_the_money_once(
    house: House, sandbox: Sandbox, method: str
) -> None:
    event = await house.publish(AUTHORIZED.model_copy(update={"method": method}))

    async def is_asking() -> bool:
        return await house.status() == "capturing"

    await eventually(is_asking, within=20)
    house.payments.process.kill9()
    house.payments.start()

    assert await house.outcome(event) == ("completed", None)
    assert sandbox.moved() == TAKEN
    assert await house.caused_by(event) == ["ORDER_PAID"]


async def test_a_worker_that_is_stopped_during_its_call_ends_it(house: House, sandbox: Sandbox) -> None:
    event = await house.publish(AUTHORIZED.model_copy(update={"method": "tok_slow"}))

    async def is_asking() -> bool:
        return await house.status() == "capturing"

    await eventually(is_asking, within=20)
    house.payments.process.stop(within=30)

    assert await house.outcome(event) == ("completed", None)
    assert sandbox.moved() == TAKEN


async def test_a_dead_event_whose_money_may_have_moved_says_so(house: House, sandbox: Sandbox) -> None:
    other = {
        "payment_id": "payment-1",
        "order_id": "order-1",
        "amount": 1,
        "currency": "EUR",
        "method": "tok_ok",
    }
    key = {"Idempotency-Key": "capture:payment-1"}
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        (await client.post("/v1/captures", json=other, headers=key)).raise_for_status()

    ended = await house.ended(await house.publish(AUTHORIZED))

    assert (ended.outcome, ended.reason, ended.uncertain) == ("dead", "key_refused", True)


async def test_a_payment_for_an_order_that_is_cancelled_is_never_charged(
    house: House, sandbox: Sandbox
) -> None:
    orders = Database(house.orders.database_url)
    async with orders.transaction() as session:
        await SqlOrders(session).save(cancelled())
    await orders.close()

    assert await house.outcome(await house.publish(AUTHORIZED)) == ("dead", "order_cancelled")
    assert sandbox.moved() == []


async def test_a_payment_waits_for_order_worker_and_for_its_order(house: House, sandbox: Sandbox) -> None:
    house.orders.process.kill9()
    event = await house.publish(AUTHORIZED)

    async def is_postponed() -> bool:
        async with house.database.reading() as session:
            return (await session.scalars(select(col(Attempt.reason)))).first() == "orders_away"

    await eventually(is_postponed, within=20)
    assert await house.status() is None

    house.orders.start()

    assert await house.outcome(event) == ("completed", None)
    assert sandbox.moved() == TAKEN
