"""A report that the gateway refuses for ever holds up nothing else, is told of, and is not lost."""

import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import update

from shared.store.database import Database
from shared.store.handover import HandOver
from shared.store.ledger import SqlLedger
from shared.store.refused import MOST, Refused
from shared.store.reports import HandOverBatch
from shared.store.tables import Attempt, Inbox, Outbox
from shared.store.unit import current_unit
from support.deliveries import delivery, envelope, rows
from support.queueing import shipped

TOO_MANY_REQUESTS = 80
"""What two refused reports among two hundred may cost at most; one by one would be two hundred."""


class StrictGateway:
    """Refuses each batch that holds one of these ids."""

    def __init__(self, *refused: str, status: int = 422) -> None:
        self.refused = set(refused)
        self.status = status
        self.requests = 0
        self.taken: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        batch = HandOverBatch.model_validate_json(request.content)
        ids = [event.id for event in batch.events]
        ids += [report.event_id for report in (*batch.attempts, *batch.outcomes)]
        if self.refused & set(ids):
            return httpx.Response(self.status, text="no")
        self.taken += ids
        return httpx.Response(204)


class Clock:
    """Seconds, which pass as a test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gateway() -> StrictGateway:
    return StrictGateway("bad")


@pytest.fixture
async def handover(database: Database, gateway: StrictGateway, clock: Clock) -> AsyncIterator[HandOver]:
    async with httpx.AsyncClient(
        base_url="http://gateway", transport=httpx.MockTransport(gateway), timeout=1
    ) as client:
        yield HandOver(database, "orders", client, refused=Refused(pause=60, clock=clock))


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database, source="order-worker")


async def complete(ledger: SqlLedger, *event_ids: str) -> None:
    for event_id in event_ids:
        async with ledger.transaction(delivery(envelope(event_id))):
            pass


async def open_outcomes(database: Database) -> list[str]:
    return [row.event_id for row in await rows(database, Inbox) if row.unreported]


@pytest.mark.parametrize("status", [400, 409, 413, 422])
async def test_all_but_the_refused_outcome_is_told(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: StrictGateway, status: int
) -> None:
    gateway.status = status
    await complete(ledger, "a", "b", "bad", "c", "d")

    await handover.hand_over_once()
    await complete(ledger, "e")
    await handover.hand_over_once()

    assert sorted(gateway.taken) == ["a", "b", "c", "d", "e"]
    assert await open_outcomes(database) == ["bad"]


async def test_every_kind_of_report_may_be_refused(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: StrictGateway
) -> None:
    await ledger.fail(delivery(envelope("bad")), ValueError())
    await ledger.fail(delivery(envelope("good")), ValueError())
    for event_id in ("bad", "good"):
        async with ledger.transaction(delivery(envelope(f"cause-of-{event_id}"))):
            current_unit().publish(shipped("o"), id=event_id)
    async with database.transaction() as session:
        await session.execute(update(Outbox).values(sent_epoch="e1"))

    for _ in range(3):
        await handover.hand_over_once()

    assert sorted(gateway.taken) == ["cause-of-bad", "cause-of-good", "good", "good"]
    assert [row.id for row in await rows(database, Outbox)] == ["bad"]
    assert [row.event_id for row in await rows(database, Attempt) if row.unreported] == ["bad"]


async def test_what_is_refused_is_found_by_halving(
    ledger: SqlLedger, handover: HandOver, gateway: StrictGateway
) -> None:
    gateway.refused = {"e017", "e150"}
    await complete(ledger, *(f"e{number:03}" for number in range(200)))

    await handover.hand_over_once()
    requests = gateway.requests
    await handover.hand_over_once()

    assert len(gateway.taken) == 198
    assert requests < TOO_MANY_REQUESTS
    assert gateway.requests == requests


async def test_a_refusal_is_logged_once_and_is_a_trouble_until_it_is_over(
    ledger: SqlLedger,
    handover: HandOver,
    gateway: StrictGateway,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await complete(ledger, "a", "bad")

    await handover.hand_over_once()
    clock.now += 61
    await handover.hand_over_once()

    assert gateway.requests == 4
    critical = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert [record.__dict__["report"] for record in critical] == ["outcome bad 0"]
    assert handover.trouble == "1 refused, the last: outcome bad 0: 422 no"


async def test_what_was_refused_is_told_again_less_and_less_often(
    database: Database, ledger: SqlLedger, handover: HandOver, gateway: StrictGateway, clock: Clock
) -> None:
    await complete(ledger, "bad")
    at: list[float] = []

    for clock.now in range(0, 500, 10):
        before = gateway.requests
        await handover.hand_over_once()
        at += [clock.now] * (gateway.requests - before)
    gateway.refused.clear()
    clock.now = 1_000
    await handover.hand_over_once()

    assert at == [0, 60, 180, 420]
    assert gateway.taken == ["bad"]
    assert await open_outcomes(database) == []
    assert handover.trouble is None


async def test_what_another_replica_has_told_is_no_trouble_any_more(
    database: Database, ledger: SqlLedger, handover: HandOver, clock: Clock
) -> None:
    await complete(ledger, "bad")
    await handover.hand_over_once()

    async with database.transaction() as session:
        await session.execute(update(Inbox).values(unreported=False))
    clock.now += 61
    await handover.hand_over_once()

    assert handover.trouble is None


def test_only_so_much_is_set_aside() -> None:
    refused = Refused()
    for number in range(MOST):
        refused.add(("outcome", str(number), 0))

    assert refused.has_room_for(("outcome", "1", 0))
    assert not refused.has_room_for(("outcome", "one more", 0))
