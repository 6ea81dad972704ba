"""Two copies of one event at the same moment."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.events import OrderCancelled
from shared.queue import AlreadyEndedError
from shared.store.database import Database
from shared.store.ledger import SqlLedger
from shared.store.tables import Attempt, Inbox, Outbox
from shared.store.unit import current_unit
from support.deliveries import delivery, row, rows

CANCELLED = OrderCancelled(order_id="o", reason="out_of_stock")


@pytest.fixture
async def other(worker_url: str) -> AsyncIterator[Database]:
    """The same database as another process sees it."""
    database = Database(worker_url)
    yield database
    await database.close()


async def test_of_two_copies_one_has_an_effect(database: Database, other: Database) -> None:
    ledgers = [SqlLedger(each, source="order-worker") for each in (database, other)]

    async def run(ledger: SqlLedger, entry: str) -> str:
        try:
            async with ledger.transaction(delivery(entry=entry)):
                current_unit().publish(CANCELLED)
                await asyncio.sleep(0.05)
        except AlreadyEndedError:
            return "repeated"
        return "completed"

    outcomes = await asyncio.gather(*(run(ledgers[n % 2], f"{n}-1") for n in range(8)))

    assert sorted(outcomes) == ["completed"] + ["repeated"] * 7
    assert (await row(database, Inbox)).outcome == "completed"
    assert len(await rows(database, Outbox)) == 1


async def test_when_the_first_of_two_copies_fails_the_second_has_the_effect(
    database: Database, other: Database
) -> None:
    first, second = (SqlLedger(each, source="order-worker") for each in (database, other))
    inside = asyncio.Event()

    async def fail() -> None:
        async with first.transaction(delivery()):
            current_unit().publish(CANCELLED)
            inside.set()
            await asyncio.sleep(0.1)
            raise KeyError

    failing = asyncio.create_task(fail())
    await inside.wait()
    async with second.transaction(delivery(entry="2-2")):
        current_unit().publish(CANCELLED)

    with pytest.raises(KeyError):
        await failing
    assert len(await rows(database, Outbox)) == 1


async def test_copies_that_fail_together_are_counted_together(database: Database, other: Database) -> None:
    ledgers = [SqlLedger(each, source="order-worker") for each in (database, other)]

    verdicts = await asyncio.gather(
        *(ledgers[n % 2].fail(delivery(entry=f"{n}-1", limit=6), ValueError("bug")) for n in range(6))
    )

    assert len(await rows(database, Attempt)) == 6
    assert [verdict.outcome for verdict in verdicts].count("dead") == 1
