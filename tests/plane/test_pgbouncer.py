"""PostgreSQL by way of a PgBouncer that gives a server to each transaction: nothing is kept between two."""

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.store.database import Database
from shared.store.postgres import Limits
from support.checker import Checker
from support.faults_load import Load
from support.pgbouncer import PgBouncer
from support.plane import PlaneSystem
from support.postgres import PostgresServer
from support.redis_server import RedisServer
from support.system import Shape

ROOT = Path(__file__).parents[2]
SHAPE = Shape(gateways=2, orders=2, payments=1, inventories=1, notifications=1)


@pytest.fixture
def server() -> Generator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def pooler(server: PostgresServer) -> Generator[PgBouncer]:
    with PgBouncer(server.databases.admin_url) as pooler:
        yield pooler


@pytest.fixture
def pooled_url(server: PostgresServer, pooler: PgBouncer) -> str:
    return pooler.url_of(server.databases.admin_url)


@pytest.mark.timeout(300)
def test_the_system_runs_by_way_of_it_and_survives_its_death(
    tmp_path: Path,
    server: PostgresServer,
    pooler: PgBouncer,
    redis_server: RedisServer,
    tell: Callable[[object], None],
) -> None:
    with (
        PlaneSystem(tmp_path, SHAPE, redis_server, postgres=server, database_urls=pooler.url_of) as system,
        Load(system, threads=2, pause=0.1) as load,
    ):
        load.go_on(until_accepted=60)
        pooler.kill9()
        pooler.restart()
        load.go_on(until_accepted=100)
        load.finish()
        checker = Checker(system)
        checker.settle(within=120)

        judgement = checker.judge(load.history, stock=load.stock)
        tell(f"{load.accepted} accepted, {judgement}")
        assert not judgement.wrong, judgement


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_store_does_there_whatever_it_does_without(
    pooled_url: str, tell: Callable[[object], None]
) -> None:
    suite = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider"),
            *("tests/integration/store", "tests/integration/workers", "-k", "postgres"),
        ],
        cwd=ROOT,
        env={**os.environ, "TEST_POSTGRES_URL": pooled_url},
        capture_output=True,
        text=True,
        check=False,
    )

    tell(suite.stdout.strip().splitlines()[-1])
    assert suite.returncode == 0, suite.stdout[-5000:]


async def test_a_transaction_has_its_limits_and_the_next_client_has_none_of_them(pooled_url: str) -> None:
    """The settings of a session are refused at its start, so each transaction brings them."""
    database = Database(pooled_url, patience=2.0, limits=Limits(idle=3.0))
    plain = pooled_url.partition("?")[0]
    try:
        async with database.transaction() as session:
            assert await _limits(session) == ("3s", "2s")
        async with database.reading() as session:
            assert await _limits(session) == ("3s", "2s")
        async with await psycopg.AsyncConnection.connect(plain, prepare_threshold=None) as stranger:
            cursor = await stranger.execute("SELECT current_setting('lock_timeout')")
            assert await cursor.fetchone() == ("0",)
    finally:
        await database.close()


async def test_a_lock_is_not_waited_for_longer_than_the_caller_would(pooled_url: str) -> None:
    holder, waiting = Database(pooled_url), Database(pooled_url, patience=0.3)
    try:
        async with holder.transaction() as holding:
            await holding.execute(text("SELECT pg_advisory_xact_lock(7)"))
            with pytest.raises(DBAPIError, match="lock timeout"):
                async with waiting.transaction() as session:
                    await session.execute(text("SELECT pg_advisory_xact_lock(7)"))
        async with waiting.transaction() as session:  # the lock went with its transaction
            await session.execute(text("SELECT pg_advisory_xact_lock(7)"))
    finally:
        await holder.close()
        await waiting.close()


async def test_no_statement_stays_prepared_at_a_server(pooled_url: str) -> None:
    """The driver prepares what it has run five times, and the next transaction may have another server."""
    database = Database(pooled_url)
    try:
        for number in range(20):
            async with database.transaction() as session:
                assert await session.scalar(text("SELECT CAST(:n AS int)"), {"n": number}) == number
        async with database.reading() as session:
            assert await session.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0
    finally:
        await database.close()


async def _limits(session: AsyncSession) -> tuple[str, str]:
    names = ("idle_in_transaction_session_timeout", "lock_timeout")
    idle, lock = [await session.scalar(text(f"SELECT current_setting('{name}')")) for name in names]
    return str(idle), str(lock)
