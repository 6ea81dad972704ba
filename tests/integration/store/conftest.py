"""A worker's database, of each kind, and what arrives there."""

from collections.abc import AsyncIterator

import pytest

from shared.store.database import Database
from shared.store.migrate import migrate


@pytest.fixture
def worker_url(database_url: str) -> str:
    """The tables of delivery are alike in every worker; order-worker's migrations make them here."""
    migrate(database_url, "order_worker")
    return database_url


@pytest.fixture
async def database(worker_url: str) -> AsyncIterator[Database]:
    database = Database(worker_url)
    yield database
    await database.close()
