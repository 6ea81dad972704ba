"""A payment-worker's database and runtime, with the real sandbox over HTTP and without a queue."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adapters.sandbox import Sandbox, sandbox_in
from integration.payments.shop import ProviderAt, Shop
from payment_worker.adapters.provider import SandboxProvider
from shared.store.database import Database
from shared.store.migrate import migrate


@pytest.fixture
def migrated_url(database_url: str) -> str:
    migrate(database_url, "payment_worker")
    return database_url


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    database = Database(migrated_url)
    yield database
    await database.close()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox_in(tmp_path) as sandbox:
        yield sandbox


@pytest.fixture
async def provider_at() -> AsyncIterator[ProviderAt]:
    """The adapter to a provider at any address, with so many seconds for a call."""
    made: list[SandboxProvider] = []

    def at(url: str, seconds: float = 3.0) -> SandboxProvider:
        made.append(SandboxProvider(url, seconds=seconds))
        return made[-1]

    yield at
    for provider in made:
        await provider.aclose()


@pytest.fixture
def shop(database: Database, sandbox: Sandbox, provider_at: ProviderAt) -> Shop:
    """Its order-1 waits for its payment."""
    return Shop(database, provider_at(sandbox.url))
