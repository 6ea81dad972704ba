"""Transactions on both databases, and whose fault an error is."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared.store.database import Database, is_infrastructure
from support import PostgresServer, eventually


@pytest.fixture
async def counters(database_url: str) -> AsyncIterator[Database]:
    """A database with a table of one counter."""
    database = Database(database_url)
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"))
        await session.execute(text("INSERT INTO counter VALUES (1, 0)"))
    yield database
    await database.close()


async def count(database: Database) -> int:
    async with database.reading() as session:
        return int((await session.execute(text("SELECT n FROM counter WHERE id = 1"))).scalar_one())


async def increment(database: Database, *, hold: float = 0.0) -> None:
    lock = "" if database.is_sqlite else " FOR UPDATE"
    async with database.transaction() as session:
        n = (await session.execute(text("SELECT n FROM counter WHERE id = 1" + lock))).scalar_one()
        await asyncio.sleep(hold)
        await session.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})


async def test_a_transaction_commits_at_its_end(counters: Database) -> None:
    await increment(counters)

    assert await count(counters) == 1


async def test_a_transaction_that_raises_changes_nothing(counters: Database) -> None:
    async def fail() -> None:
        async with counters.transaction() as session:
            await session.execute(text("UPDATE counter SET n = 7"))
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    assert await count(counters) == 0


async def test_a_transaction_that_is_cancelled_changes_nothing(counters: Database) -> None:
    cancelled = asyncio.create_task(increment(counters, hold=60))
    await asyncio.sleep(0.1)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled

    await asyncio.wait_for(increment(counters), 8)
    assert await count(counters) == 1


async def test_what_a_reader_changes_is_rolled_back(counters: Database) -> None:
    async with counters.reading() as session:
        await session.execute(text("UPDATE counter SET n = 7"))

    assert await count(counters) == 0


async def test_a_reader_reads_while_another_writes(counters: Database) -> None:
    async with counters.transaction() as session:
        await session.execute(text("UPDATE counter SET n = 7"))

        assert await asyncio.wait_for(count(counters), 8) == 0


async def test_transactions_of_one_process_do_not_disturb_each_other(counters: Database) -> None:
    await asyncio.gather(*(increment(counters, hold=0.001) for _ in range(50)))

    assert await count(counters) == 50


async def test_two_writers_of_one_database_do_not_disturb_each_other(
    counters: Database, database_url: str
) -> None:
    other = Database(database_url)

    await asyncio.gather(
        *(increment(database, hold=0.001) for _ in range(25) for database in (counters, other))
    )

    assert await count(counters) == 50
    await other.close()


async def test_a_ping_answers_while_somebody_writes(counters: Database) -> None:
    async with counters.transaction() as session:
        await session.execute(text("UPDATE counter SET n = 7"))

        await counters.ping(within=10)


STATEMENTS: dict[str, tuple[str, bool]] = {
    "unique": ("INSERT INTO counter VALUES (1, 1)", False),
    "null": ("INSERT INTO counter (id, n) VALUES (2, NULL)", False),
}


@pytest.mark.parametrize(("statement", "infrastructure"), STATEMENTS.values(), ids=STATEMENTS)
async def test_a_violated_rule_is_the_statements_fault(
    counters: Database, statement: str, *, infrastructure: bool
) -> None:
    with pytest.raises(SQLAlchemyError) as caught:
        async with counters.transaction() as session:
            await session.execute(text(statement))

    assert is_infrastructure(caught.value) is infrastructure


async def test_nul_is_the_statements_fault(postgres_url: str) -> None:
    database = Database(postgres_url)

    with pytest.raises(SQLAlchemyError) as caught:
        async with database.transaction() as session:
            await session.execute(text("SELECT CAST(:nul AS text)"), {"nul": "a\x00b"})

    assert not is_infrastructure(caught.value)
    await database.close()


async def test_a_replica_is_infrastructure(postgres_url: str) -> None:
    database = Database(postgres_url)

    async def write() -> None:
        async with database.transaction() as session:
            await session.execute(text("SET TRANSACTION READ ONLY"))
            await session.execute(text("CREATE TABLE refused (id INTEGER)"))

    with pytest.raises(SQLAlchemyError) as caught:
        await write()

    assert is_infrastructure(caught.value)
    await database.close()


@pytest.mark.parametrize(
    "error", [ValueError(), KeyError(), OSError(), TimeoutError(), asyncio.CancelledError()]
)
def test_errors_of_python_are_not_the_databases(error: BaseException) -> None:
    assert not is_infrastructure(error)


async def test_a_file_that_another_process_locks_is_infrastructure(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    database = Database(url)
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE t (id INTEGER)"))
    with sqlite3.connect(tmp_path / "test.db", isolation_level=None) as locking:
        locking.execute("BEGIN IMMEDIATE")

        with pytest.raises((SQLAlchemyError, TimeoutError)) as caught:
            await database.ping(within=1.5)
        assert is_infrastructure(caught.value) or isinstance(caught.value, TimeoutError)
        locking.execute("ROLLBACK")
    locking.close()

    await database.ping(within=10)
    await database.close()


WRITER = """
import asyncio, sys
from sqlalchemy import text
from shared.store.database import Database

async def main():
    database = Database(sys.argv[1])
    for _ in range(40):
        async with database.transaction() as session:
            n = (await session.execute(text("SELECT n FROM counter"))).scalar_one()
            await asyncio.sleep(0.001)
            await session.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})
    await database.close()

asyncio.run(main())
"""


async def test_two_processes_on_one_file_lose_no_update(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    database = Database(url)
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE counter (n INTEGER)"))
        await session.execute(text("INSERT INTO counter VALUES (0)"))

    command = [sys.executable, "-c", WRITER, url]
    writers = [await asyncio.create_subprocess_exec(*command) for _ in range(2)]
    ended = [await asyncio.wait_for(writer.wait(), 60) for writer in writers]

    assert ended == [0, 0]
    async with database.reading() as session:
        assert (await session.execute(text("SELECT n FROM counter"))).scalar_one() == 80
    await database.close()


async def test_a_postgres_that_crashes_is_infrastructure_and_is_used_again() -> None:
    with PostgresServer() as server, server.databases.fresh() as url:
        database = Database(url)
        await database.ping(within=10)
        errors: list[BaseException] = []

        async def hold() -> None:
            async with database.transaction() as session:
                await session.execute(text("SELECT pg_sleep(30)"))

        holding = asyncio.create_task(hold())
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.crash)
        (outcome,) = await asyncio.gather(holding, return_exceptions=True)
        errors += [outcome] if outcome else []
        for use in (lambda: database.ping(within=10), lambda: _use(database)):
            with pytest.raises((SQLAlchemyError, OSError)) as caught:
                await use()
            errors.append(caught.value)
        assert [is_infrastructure(error) for error in errors] == [True] * 3, errors

        await asyncio.to_thread(server.start)
        await eventually(lambda: _answers(database), within=10)
        await _use(database)
        await database.close()


async def _use(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("SELECT 1"))


async def _answers(database: Database) -> bool:
    try:
        await database.ping()
    except (SQLAlchemyError, OSError):
        return False
    return True


@pytest.mark.parametrize("url", ["mysql://x/y", "redis://x", "sqlite+pysqlite:///x.db", "postgres://u@h/d"])
def test_only_two_kinds_of_database_are_taken(url: str) -> None:
    known = url.startswith(("sqlite", "postgres"))

    def made() -> Any:
        return Database(url)

    if known:
        assert made().url.drivername in {"sqlite+aiosqlite", "postgresql+psycopg"}
    else:
        with pytest.raises(ValueError, match="must be sqlite or postgresql"):
            made()
