from collections.abc import AsyncIterator

import pytest

from shared.store.database import Database
from shared.store.migrate import migrate


@pytest.fixture
async def worker_database(database_url: str) -> AsyncIterator[Database]:
    """The tables of delivery, on SQLite and on PostgreSQL."""
    migrate(database_url, "order_worker")
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def gateway_database(database_url: str) -> AsyncIterator[Database]:
    migrate(database_url, "gateway")
    database = Database(database_url)
    yield database
    await database.close()
