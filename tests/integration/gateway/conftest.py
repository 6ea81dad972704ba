import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from integration.gateway.house import House, open_house
from shared.store.migrate import migrate


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the gateway's tables, to be copied."""
    path = tmp_path_factory.mktemp("gateway") / "empty.db"
    migrate(f"sqlite:///{path}", "gateway")
    return path


@pytest.fixture
def gateway_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A database of this test's own with the gateway's tables, on SQLite."""
    path = tmp_path / "gateway.db"
    shutil.copy(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgres"])
def any_gateway_url(request: pytest.FixtureRequest) -> str:
    """A database of this test's own with the gateway's tables: the test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        url: str = request.getfixturevalue("gateway_url")
    else:
        url = request.getfixturevalue("postgres_url")
        migrate(url, "gateway")
    return url


@pytest.fixture
async def house(gateway_url: str) -> AsyncGenerator[House]:
    async with open_house(gateway_url) as house:
        yield house


@pytest.fixture
async def any_house(any_gateway_url: str) -> AsyncGenerator[House]:
    """The same on each kind of database."""
    async with open_house(any_gateway_url) as house:
        yield house
