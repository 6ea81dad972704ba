"""Nobody waits for ever: not PostgreSQL for a frozen worker, not a worker for a silent PostgreSQL."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared.queue import AlreadyEndedError
from shared.store.database import Database, is_infrastructure
from shared.store.ledger import SqlLedger
from shared.store.migrate import migrate
from shared.store.postgres import Limits
from shared.store.tables import Attempt, Inbox
from support import eventually
from support.deliveries import delivery, envelope, row, rows
from support.queueing import Link

SOON = Limits(idle=1.0, silence=1.0)
AT_WORK = Limits(idle=3.0)
"""Shorter than handlers work here, and long enough for a machine that stands still for a moment."""
TAKEN_OVER_WITHIN = 10.0
"""Seconds after which a frozen worker's event has to be done by another."""


@pytest.fixture
def postgres_worker_url(postgres_url: str) -> str:
    migrate(postgres_url, "order_worker")
    return postgres_url


@pytest.fixture
async def database(postgres_worker_url: str) -> AsyncIterator[Database]:
    database = Database(postgres_worker_url)
    yield database
    await database.close()


@asynccontextmanager
async def patience_of(limits: Limits, url: str, **options: Any) -> AsyncGenerator[Database]:
    database = Database(url, limits=limits, **options)
    yield database
    await database.close()


async def run(ledger: SqlLedger, *, seconds: float = 0.0, entered: asyncio.Event | None = None) -> None:
    """The event `x`, whose handler takes so long."""
    async with ledger.transaction(delivery(envelope("x"))):
        if entered:
            entered.set()
        await asyncio.sleep(seconds)


FREEZING = """
import asyncio, os, signal, sys
from shared.store.database import Database, is_infrastructure
from shared.store.ledger import SqlLedger
from support import eventually
from support.deliveries import delivery, envelope

async def main():
    database = Database(sys.argv[1])
    try:
        async with SqlLedger(database, source="frozen").transaction(delivery(envelope("x"))):
            os.kill(os.getpid(), signal.SIGSTOP)
    except Exception as error:
        print(is_infrastructure(error), repr(error))
    await database.close()

asyncio.run(main())
"""


async def test_the_event_of_a_worker_that_freezes_in_its_transaction_is_done_by_its_taker(
    postgres_worker_url: str, database: Database
) -> None:
    command = (sys.executable, "-c", FREEZING, postgres_worker_url)
    environment = {"PYTHONPATH": ":".join(sys.path)}
    frozen = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
    await eventually(lambda: _state(frozen.pid) == "T", within=20)

    began = time.monotonic()
    try:
        async with asyncio.timeout(TAKEN_OVER_WITHIN):
            await run(SqlLedger(database, source="taker"))
    finally:
        frozen.send_signal(signal.SIGCONT)
    took = time.monotonic() - began
    said, _ = await asyncio.wait_for(frozen.communicate(), 10)

    assert said.startswith(b"True"), said
    assert (await row(database, Inbox)).outcome == "completed"
    assert await rows(database, Attempt) == []
    assert took < TAKEN_OVER_WITHIN


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 not a file that there is
        return stat.read().rpartition(")")[2].split()[0]


async def test_a_handler_at_work_keeps_its_transaction(postgres_worker_url: str) -> None:
    async with patience_of(AT_WORK, postgres_worker_url) as database:
        await run(SqlLedger(database, source="slow"), seconds=5)

        assert (await row(database, Inbox)).outcome == "completed"


async def test_a_handler_at_work_keeps_its_transaction_in_which_a_statement_failed(
    postgres_worker_url: str,
) -> None:
    async with patience_of(AT_WORK, postgres_worker_url) as database, database.transaction() as session:
        with pytest.raises(SQLAlchemyError):
            await session.execute(text("SELECT nothing"))
        await asyncio.sleep(5)
        await session.rollback()

        assert (await session.execute(text("SELECT 1"))).scalar_one() == 1


async def test_a_reader_that_takes_its_time_is_not_cut_off(postgres_worker_url: str) -> None:
    async with patience_of(AT_WORK, postgres_worker_url) as database, database.reading() as session:
        await session.execute(text("SELECT 1"))
        await asyncio.sleep(5)

        assert (await session.execute(text("SELECT 1"))).scalar_one() == 1


async def test_a_copy_waits_for_the_handler_that_is_at_work(postgres_worker_url: str) -> None:
    async with patience_of(AT_WORK, postgres_worker_url) as database:
        ledger, entered = SqlLedger(database, source="both"), asyncio.Event()
        slow = asyncio.create_task(run(ledger, seconds=5, entered=entered))
        await entered.wait()

        with pytest.raises(AlreadyEndedError):
            await run(ledger)
        await slow


async def test_who_has_no_patience_is_told_that_a_row_is_locked(postgres_worker_url: str) -> None:
    async with (
        patience_of(Limits(), postgres_worker_url, patience=0.5) as impatient,
        patience_of(Limits(), postgres_worker_url) as holder,
        holder.transaction() as session,
    ):
        await session.execute(text("LOCK TABLE inbox"))

        with pytest.raises(SQLAlchemyError, match="lock timeout") as caught:
            await asyncio.wait_for(run(SqlLedger(impatient, source="impatient")), 5)

    assert is_infrastructure(caught.value)


async def test_options_of_the_url_have_the_last_word(postgres_worker_url: str) -> None:
    url = f"{postgres_worker_url}?options=-c%20idle_in_transaction_session_timeout%3D7s"
    async with patience_of(SOON, url) as database, database.reading() as session:
        shown = await session.execute(text("SHOW idle_in_transaction_session_timeout"))

        assert shown.scalar_one() == "7s"


@asynccontextmanager
async def link_to(url: str) -> AsyncGenerator[tuple[Link, str]]:
    """A way to the server that swallows all while it is held, and the database's URL by that way."""
    parts = urlsplit(url)
    assert parts.port
    async with Link(parts.port) as link:
        place = f"{parts.username}:{parts.password or ''}@{urlsplit(link.url).netloc}"
        yield link, urlunsplit(parts._replace(netloc=place))


async def _execute(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("SELECT 1"))


async def _read(database: Database) -> None:
    async with database.reading() as session:
        await session.execute(text("SELECT 1"))


async def _handle(database: Database) -> None:
    await run(SqlLedger(database, source="worker"))


async def _ping(database: Database) -> None:
    await database.ping(within=10)


USES: dict[str, Callable[[Database], Awaitable[None]]] = {
    "write": _execute,
    "read": _read,
    "handle": _handle,
    "ping": _ping,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
async def test_a_server_that_says_nothing_is_given_up_as_infrastructure_and_is_used_again(
    postgres_worker_url: str, use: Callable[[Database], Awaitable[None]]
) -> None:
    async with (
        link_to(postgres_worker_url) as (link, url),
        patience_of(Limits(silence=1.0, connecting=2), url) as database,
    ):
        await use(database)
        link.hold()

        began = time.monotonic()
        with pytest.raises((SQLAlchemyError, TimeoutError)) as caught:
            await asyncio.wait_for(use(database), 30)
        took = time.monotonic() - began
        link.release()

        assert took < 6
        assert is_infrastructure(caught.value) or use is _ping
        with pytest.raises(AlreadyEndedError) if use is _handle else nullcontext():
            await asyncio.wait_for(use(database), 5)


async def test_a_server_that_falls_silent_within_a_transaction_is_given_up(postgres_worker_url: str) -> None:
    async with (
        link_to(postgres_worker_url) as (link, url),
        patience_of(Limits(silence=1.0, connecting=2), url) as database,
    ):
        ledger = SqlLedger(database, source="worker")

        async def fall_silent() -> None:
            async with ledger.transaction(delivery(envelope("x"))):
                link.hold()

        began = time.monotonic()
        with pytest.raises(SQLAlchemyError) as caught:
            await asyncio.wait_for(fall_silent(), 30)
        took = time.monotonic() - began
        link.release()

        assert is_infrastructure(caught.value)
        assert took < 4


async def test_a_ping_of_a_silent_server_ends_in_time(postgres_worker_url: str) -> None:
    async with link_to(postgres_worker_url) as (link, url), patience_of(Limits(), url) as database:
        await database.ping(within=10)
        link.hold()

        began = time.monotonic()
        with pytest.raises((SQLAlchemyError, TimeoutError)):
            await database.ping()
        took = time.monotonic() - began
        link.release()

    assert took < 4.5


async def test_a_slow_statement_of_a_server_that_answers_is_given_up_as_well(
    postgres_worker_url: str,
) -> None:
    """A frozen server process looks the same."""
    async with patience_of(SOON, postgres_worker_url) as database:
        with pytest.raises(SQLAlchemyError) as caught:
            async with database.transaction() as session:
                await session.execute(text("SELECT pg_sleep(30)"))

        assert is_infrastructure(caught.value)
        await _execute(database)
