"""Migrations of every service: again, at once, and never apart from the code."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from importlib.resources import files

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy import text

from shared.store.database import Database, async_url
from shared.store.migrate import migrate

PACKAGES = ("gateway", "order_worker", "payment_worker", "inventory_worker", "notification_worker")


@contextmanager
def connected(database_url: str) -> Generator[sa.Connection]:
    """A transaction without the code that is tested."""
    url = async_url(database_url)
    engine = sa.create_engine(url.set(drivername=url.drivername.replace("+aiosqlite", "")))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def revision(database_url: str) -> str:
    """The one that the database says it is at."""
    with connected(database_url) as connection:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()


def newest(package: str) -> str | None:
    return ScriptDirectory(str(files(package) / "migrations")).get_current_head()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_migrated_database_is_at_the_newest_revision(package: str, database_url: str) -> None:
    migrate(database_url, package)
    migrate(database_url, package)

    assert revision(database_url) == newest(package)


def test_a_database_that_a_newer_version_has_migrated_is_left_as_it_is(database_url: str) -> None:
    migrate(database_url, "order_worker")
    with connected(database_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    migrate(database_url, "order_worker")

    assert revision(database_url) == "9999"


async def test_migrating_again_keeps_what_is_there(database_url: str) -> None:
    await asyncio.to_thread(migrate, database_url, "order_worker")
    database = Database(database_url)
    async with database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO inbox"
                " (event_id, run, type, outcome, digest, worker, started_at, ended_at, unreported)"
                " VALUES ('x', 0, 't', 'dead', 'd', 'w', '2026-01-01', '2026-01-01', true)"
            )
        )

    await asyncio.to_thread(migrate, database_url, "order_worker")

    async with database.reading() as session:
        assert (await session.execute(text("SELECT count(*) FROM inbox"))).scalar_one() == 1
    await database.close()


def test_several_processes_may_migrate_at_once(database_url: str) -> None:
    program = "import sys; from shared.store.migrate import migrate; migrate(*sys.argv[1:])"
    command = [sys.executable, "-c", program, database_url, "order_worker"]

    processes = [subprocess.Popen(command) for _ in range(2)]

    assert [process.wait(60) for process in processes] == [0] * 2
    assert revision(database_url) == newest("order_worker")


def test_a_migrated_file_needs_no_turn_to_wal_for_which_first_connections_would_compete(
    sqlite_url: str,
) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")  # whoever turns it now is refused at once
        leaving = threading.Timer(0.3, other.rollback)
        leaving.start()

        migrate(sqlite_url, "order_worker")

        leaving.join()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_sweep_finds_its_rows_by_an_index(package: str, database_url: str) -> None:
    migrate(database_url, package)
    with connected(database_url) as connection:
        tables = sa.inspect(connection)
        indexes = {
            index["name"]: index["column_names"]
            for table in tables.get_table_names()
            for index in tables.get_indexes(table)
        }

    assert any({"queue", "sent_epoch"} <= set(columns) for columns in indexes.values())
