"""A worker's own database, migrated as it is when the worker starts."""

from collections.abc import AsyncIterator

import pytest

from shared.store.database import Database
from shared.store.migrate import migrate


@pytest.fixture
def service(request: pytest.FixtureRequest) -> str:
    """The package of the worker; each module of tests says which."""
    package: str = request.param
    return package


@pytest.fixture
async def database(service: str, database_url: str) -> AsyncIterator[Database]:
    migrate(database_url, service)
    database = Database(database_url)
    yield database
    await database.close()
