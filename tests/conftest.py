"""The fixtures of every kind of test. Nothing here reaches, or is led by, a system that already runs."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from support.databases import Databases
from support.missing import skip_or_fail
from support.postgres import PostgresServer
from support.redis_server import RedisServer, StartRedis

POSTGRES_SETTING = "TEST_POSTGRES_URL"

# A developer's own settings would lead the tests to a developer's own servers.
_OURS = "REDIS|QUEUE|GATEWAY|LOG|SMTP|PAYMENT|SANDBOX|MAIL_SINK|NOTIFICATION|OPERATORS"
_FOREIGN = re.compile(f"HOST|DATABASE_URL|({_OURS})_.*|.*_WORKER_(PORT|URL)")

# A shared machine may stop for a moment in any example.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_configure() -> None:
    for name in filter(_FOREIGN.fullmatch, tuple(os.environ)):
        del os.environ[name]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds the `.env` or the `.data` of a system in this checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[StartRedis]:
    """Starts as many Redis servers as a test wants: `start_redis(aof=True)`."""
    with ExitStack() as servers:

        def start(*, aof: bool = False) -> RedisServer:
            number = len(list(tmp_path.glob("redis-*"))) + 1
            directory = tmp_path / f"redis-{number}"
            directory.mkdir()
            return servers.enter_context(RedisServer(directory, aof=aof))

        yield start


@pytest.fixture
def redis_server(start_redis: StartRedis) -> RedisServer:
    """An empty Redis server of this test's own, that it may kill and wipe; nothing is kept on disk."""
    return start_redis()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """Fresh databases on one server for all tests: that of `TEST_POSTGRES_URL`, else an embedded one.

    A test that crashes its server starts one of its own: `with PostgresServer() as server`.
    """
    if url := os.environ.get(POSTGRES_SETTING):
        databases = Databases(url)
        if not databases.is_answering():
            skip_or_fail(f"nothing answers at {POSTGRES_SETTING}")
        yield databases
    else:
        with PostgresServer() as server:
            yield server.databases


@pytest.fixture
def postgres_url(postgres: Databases) -> Iterator[str]:
    """An empty PostgreSQL database of this test's own."""
    with postgres.fresh() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database of this test's own, whose file is not there yet."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind that the system supports: the test runs once for each."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
