"""What a handler raises is told from trouble of the database by what it is, never by what it says."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from shared.queue import Delivery, Queue
from shared.queue.breaker import Breaker
from shared.queue.handling import Handling
from shared.store.database import Database
from shared.store.ledger import SqlLedger
from shared.store.tables import Attempt
from shared.store.unit import current_unit
from support.deliveries import delivery, row, rows


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class CountingBreaker(Breaker):
    """Counts how often it was opened."""

    def __init__(self, ledger: SqlLedger) -> None:
        super().__init__(ledger)
        self.openings = 0

    async def recover_from(self, error: BaseException) -> None:
        self.openings += 1
        await super().recover_from(error)


class Worker:
    """Handles deliveries as a consumer does, on a real database."""

    def __init__(self, database: Database) -> None:
        self.ledger = SqlLedger(database, source="test")
        self.breaker = CountingBreaker(self.ledger)

    async def handle(self, process: Callable[[Delivery], Awaitable[None]]) -> str:
        """The outcome of one delivery."""
        handling = Handling(process, self.ledger, self.breaker, Queue("orders"), is_ending=lambda: False)
        return (await handling.handle(delivery())).outcome


@pytest.fixture
def worker(database: Database) -> Worker:
    return Worker(database)


@pytest.mark.parametrize(
    "error",
    [
        UnspeakableError(),
        ValueError("the customer wrote: cannot execute UPDATE in a read-only transaction"),
    ],
    ids=["unspeakable", "a customer's words"],
)
async def test_an_error_of_the_handler_is_a_failed_attempt_whatever_it_says(
    database: Database, worker: Worker, error: Exception
) -> None:
    async def fail(_: Delivery) -> None:
        raise error

    assert await worker.handle(fail) == "failed"

    assert (await row(database, Attempt)).reason == type(error).__name__
    assert worker.breaker.openings == 0


async def test_a_violated_rule_that_speaks_of_read_only_is_a_failed_attempt(
    database: Database, worker: Worker
) -> None:
    async def repeat(_: Delivery) -> None:
        notes = text("INSERT INTO inbox SELECT * FROM inbox WHERE :note <> ''")
        await current_unit().session.execute(notes, {"note": "a read-only transaction"})

    assert await worker.handle(repeat) == "failed"
    assert worker.breaker.openings == 0


async def test_a_database_that_takes_no_writes_burns_no_attempt(database: Database, worker: Worker) -> None:
    tries = 0

    async def write(_: Delivery) -> None:
        nonlocal tries
        tries += 1
        session = current_unit().session
        if tries == 1:
            read_only = "PRAGMA query_only = ON" if database.is_sqlite else "SET TRANSACTION READ ONLY"
            await session.execute(text(read_only))
        try:
            await session.execute(text("DELETE FROM outbox"))
        finally:
            if database.is_sqlite:
                await session.execute(text("PRAGMA query_only = OFF"))

    assert await worker.handle(write) == "completed"

    assert (tries, worker.breaker.openings) == (2, 1)
    assert await rows(database, Attempt) == []
