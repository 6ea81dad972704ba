"""What a worker hands over to the gateway: all of it, and nothing is closed before it is confirmed."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update
from sqlmodel import col

from shared.events import OrderCancelled
from shared.store.database import Database
from shared.store.handover import BATCH, HandOver
from shared.store.ledger import SqlLedger
from shared.store.reports import HANDOVER_PATH, HandOverBatch
from shared.store.tables import Attempt, Inbox, Outbox, utc_now
from shared.store.unit import current_unit
from support import eventually, free_port
from support.deliveries import delivery, envelope, row, rows, undecodable


class FakeGateway:
    """Takes batches, or answers what it is told to."""

    def __init__(self) -> None:
        self.batches: list[HandOverBatch] = []
        self.requests = 0
        self.answer: Callable[[httpx.Request], Any] | None = None

    def __call__(self, request: httpx.Request) -> Any:
        self.requests += 1
        assert request.url.path == HANDOVER_PATH
        if self.answer:
            return self.answer(request)
        self.batches.append(HandOverBatch.model_validate_json(request.content))
        return httpx.Response(204)

    def told(self, kind: str) -> list[Any]:
        return [report for batch in self.batches for report in getattr(batch, kind)]


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
async def handover(database: Database, gateway: FakeGateway) -> AsyncIterator[HandOver]:
    async with httpx.AsyncClient(
        base_url="http://gateway", transport=httpx.MockTransport(gateway), timeout=1
    ) as client:
        yield HandOver(database, "orders", client)


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database, source="order-worker")


@asynccontextmanager
async def running(handover: HandOver) -> AsyncGenerator[None]:
    task = asyncio.create_task(handover.run())
    try:
        yield
    finally:
        assert not task.done(), task
        task.cancel()
        await asyncio.wait([task])


async def complete(ledger: SqlLedger, event_id: str = "x", *, causes: int = 0) -> None:
    async with ledger.transaction(delivery(envelope(event_id))):
        for _ in range(causes):
            current_unit().publish(OrderCancelled(order_id="o", reason="out_of_stock"))


async def mark_sent(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(update(Outbox).values(sent_epoch="e1"))


async def open_reports(database: Database) -> tuple[int, int, int]:
    """Outbox rows, attempts and outcomes that are not closed."""
    attempts = [each for each in await rows(database, Attempt) if each.unreported]
    outcomes = [each for each in await rows(database, Inbox) if each.unreported]
    return len(await rows(database, Outbox)), len(attempts), len(outcomes)


async def _is_all_closed(database: Database) -> bool:
    return await open_reports(database) == (0, 0, 0)


async def test_outcomes_attempts_and_caused_events_are_told_and_closed(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    await ledger.fail(delivery(), ValueError("bug"))
    await complete(ledger, causes=1)
    await mark_sent(database)

    await handover.hand_over_once()

    (outcome,), (attempt,), (event,) = map(gateway.told, ("outcomes", "attempts", "events"))
    assert (outcome.event_id, outcome.outcome, outcome.queue) == ("x", "completed", "orders")
    assert (attempt.event_id, attempt.effort, attempt.reason) == ("x", "failed", "ValueError")
    assert (event.type, event.causation_id, event.sent_epoch) == ("ORDER_CANCELLED", "x", "e1")
    assert await open_reports(database) == (0, 0, 0)
    assert len(await rows(database, Inbox)) == 1


async def test_with_nothing_to_tell_the_gateway_is_not_asked(
    handover: HandOver, gateway: FakeGateway
) -> None:
    assert not await handover.hand_over_once()

    assert gateway.requests == 0


async def test_a_dead_letter_goes_with_its_bytes(
    ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    await ledger.bury(undecodable(), "undecodable", ValueError())

    await handover.hand_over_once()

    assert gateway.told("outcomes")[0].raw == b"\xff\x00garbage"


async def test_many_large_dead_letters_go_in_several_requests(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    for number in range(6):
        await ledger.bury(undecodable(bytes(5_000_000), entry=f"{number}-1"), "undecodable", ValueError())

    while await handover.hand_over_once():
        pass

    assert len(gateway.told("outcomes")) == 6
    assert len(gateway.batches) >= 3
    assert await open_reports(database) == (0, 0, 0)


async def test_a_caused_event_is_left_to_the_relay_for_a_while(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    await complete(ledger, causes=2)

    await handover.hand_over_once()
    assert gateway.told("events") == []
    (first, _) = await rows(database, Outbox)
    async with database.transaction() as session:
        older = utc_now() - timedelta(seconds=6)
        await session.execute(update(Outbox).where(col(Outbox.id) == first.id).values(created_at=older))
    await handover.hand_over_once()

    (told,) = gateway.told("events")
    assert (told.id, told.sent_epoch) == (first.id, None)


async def test_more_than_a_batch_goes_in_several(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    for number in range(450):
        await ledger.bury(delivery(envelope(f"e{number}"), entry=f"{number}-1"), "no", ValueError())

    async with running(handover):
        await eventually(lambda: _is_all_closed(database), within=20)

    assert len(gateway.batches) == 3
    assert len({report.event_id for report in gateway.told("outcomes")}) == 450


@pytest.mark.parametrize("number", [1, BATCH - 1])
async def test_after_a_batch_with_room_for_more_the_next_one_is_gathered(
    ledger: SqlLedger, handover: HandOver, gateway: FakeGateway, number: int
) -> None:
    for each in range(number):
        await complete(ledger, f"e{each}")

    assert not await handover.hand_over_once()

    assert len(gateway.told("outcomes")) == number


async def test_after_a_full_batch_the_next_one_goes_at_once(ledger: SqlLedger, handover: HandOver) -> None:
    for each in range(BATCH):
        await complete(ledger, f"e{each}")

    assert await handover.hand_over_once()


async def test_after_a_batch_full_of_bytes_the_next_one_goes_at_once(
    ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    for number in range(2):
        await ledger.bury(undecodable(bytes(5_000_000), entry=f"{number}-1"), "undecodable", ValueError())

    assert [await handover.hand_over_once() for _ in range(2)] == [True, False]

    assert [len(batch.outcomes) for batch in gateway.batches] == [1, 1]


@pytest.fixture
def no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found unless somebody is told of it."""
    monkeypatch.setattr("shared.store.handover.SWEEP_SECONDS", 60.0)


@pytest.mark.usefixtures("no_sweep")
async def test_a_nudge_is_heard(ledger: SqlLedger, handover: HandOver, gateway: FakeGateway) -> None:
    async with running(handover):
        await asyncio.sleep(0.2)
        await complete(ledger)
        handover.nudge()

        await eventually(lambda: gateway.told("outcomes"))


@pytest.mark.usefixtures("no_sweep")
async def test_an_event_that_is_sent_while_its_cause_is_told_does_not_wait_for_the_sweep(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    async def take_late(request: httpx.Request) -> httpx.Response:
        await mark_sent(database)
        gateway.answer = None
        return gateway(request)

    await complete(ledger, causes=1)
    gateway.answer = take_late

    async with running(handover):
        await eventually(lambda: gateway.told("outcomes"))
        await eventually(lambda: gateway.told("events"))


async def test_an_outcome_that_becomes_uncertain_while_it_is_told_is_told_again(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    async def take_late(request: httpx.Request) -> httpx.Response:
        async with database.transaction() as session:
            await session.execute(text("UPDATE inbox SET uncertain = true, unreported = true"))
        gateway.answer = None
        return gateway(request)

    await complete(ledger)
    gateway.answer = take_late

    async def is_closed() -> bool:
        return len(gateway.told("outcomes")) == 2 and await open_reports(database) == (0, 0, 0)

    async with running(handover):
        await eventually(is_closed)

    assert [report.uncertain for batch in gateway.batches for report in batch.outcomes] == [False, True]


def _late(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("late", request=request)


def _cut_off(request: httpx.Request) -> httpx.Response:
    raise httpx.RemoteProtocolError("cut", request=request)


REFUSALS: dict[str, Callable[[httpx.Request], httpx.Response]] = {
    "500": lambda _: httpx.Response(500),
    "401": lambda _: httpx.Response(401),
    "somebody's 200": lambda _: httpx.Response(200, text="<h1>Welcome</h1>"),
    "202": lambda _: httpx.Response(202),
    "403": lambda _: httpx.Response(403),
    "404": lambda _: httpx.Response(404),
    "408": lambda _: httpx.Response(408),
    "429": lambda _: httpx.Response(429),
    "redirect": lambda _: httpx.Response(302, headers={"location": "http://elsewhere"}),
    "timeout": _late,
    "cut off": _cut_off,
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_while_the_gateway_refuses_nothing_is_closed(
    database: Database,
    ledger: SqlLedger,
    handover: HandOver,
    gateway: FakeGateway,
    refusal: Callable[[httpx.Request], httpx.Response],
) -> None:
    await ledger.fail(delivery(), ValueError("bug"))
    await complete(ledger, causes=1)
    await mark_sent(database)
    gateway.answer = refusal

    async with running(handover):
        await eventually(lambda: handover.trouble)
        await asyncio.sleep(0.6)
        assert handover.trouble
        assert 1 <= gateway.requests < 8
        assert await open_reports(database) == (1, 1, 1)

        gateway.answer = None

        await eventually(lambda: gateway.told("outcomes"), within=8)
        await eventually(lambda: handover.trouble is None)
    assert [len(gateway.told(kind)) for kind in ("events", "attempts", "outcomes")] == [1, 1, 1]
    assert await open_reports(database) == (0, 0, 0)


async def test_a_gateway_that_is_not_there_only_delays(database: Database, ledger: SqlLedger) -> None:
    await complete(ledger)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{free_port()}") as client:
        handover = HandOver(database, "orders", client)
        async with running(handover):
            await eventually(lambda: handover.trouble)

    assert await open_reports(database) == (0, 0, 1)


async def test_an_answer_that_is_lost_is_told_again(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    taken: list[bytes] = []

    def lose(request: httpx.Request) -> httpx.Response:
        taken.append(request.content)
        raise httpx.ReadError("lost", request=request)

    await complete(ledger, causes=1)
    await mark_sent(database)
    gateway.answer = lose
    with pytest.raises(httpx.ReadError):
        await handover.hand_over_once()
    gateway.answer = None

    await handover.hand_over_once()

    (again,) = gateway.batches
    assert HandOverBatch.model_validate(json.loads(taken[0])) == again


async def test_what_comes_while_the_gateway_commits_is_told_next(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    await complete(ledger, "first")

    def take_slowly(request: httpx.Request) -> httpx.Response:
        gateway.answer = None
        return gateway(request)

    gateway.answer = take_slowly
    await handover.hand_over_once()
    await complete(ledger, "second")
    await handover.hand_over_once()

    assert [report.event_id for report in gateway.told("outcomes")] == ["first", "second"]
    assert await open_reports(database) == (0, 0, 0)


async def test_a_start_without_an_end_is_not_told(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    await ledger.begin_alone(delivery(deliveries=1))

    await handover.hand_over_once()
    assert gateway.requests == 0
    await ledger.begin_alone(delivery(deliveries=2))
    await handover.hand_over_once()

    (lost,) = gateway.told("attempts")
    assert lost.effort == "lost"
    assert (await rows(database, Attempt))[1].effort == "started"


async def test_a_repeated_outcome_is_told_again(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    await complete(ledger)
    await handover.hand_over_once()
    assert await ledger.expire(delivery(entry="2-2"))
    await handover.hand_over_once()

    assert [report.outcome for report in gateway.told("outcomes")] == ["completed", "completed"]
    assert not (await row(database, Inbox)).unreported


async def test_an_older_gateway_is_told_no_field_that_it_does_not_know(
    ledger: SqlLedger, handover: HandOver, gateway: FakeGateway
) -> None:
    """It refuses unknown fields; what came later is told only where there is something in it."""
    told: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        told.append(request.content)
        return httpx.Response(204)

    gateway.answer = answer
    async with ledger.transaction(delivery()):
        current_unit().publish(OrderCancelled(order_id="o", reason="changed_mind"))

    await handover.hand_over_once()

    assert told
    assert not any(field in body for body in told for field in (b'"traceparent"', b'"uncertain"'))
