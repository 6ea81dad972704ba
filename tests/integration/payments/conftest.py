"""A payment-worker's database and runtime, with the real sandbox over HTTP and without a queue."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from adapters.sandbox import Sandbox, sandbox_in
from integration.payments.shop import Shop
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
async def provider_at() -> AsyncIterator[Callable[[str], SandboxProvider]]:
    """The adapter, with half a second for a call, to a provider at any address."""
    made: list[SandboxProvider] = []

    def at(url: str) -> SandboxProvider:
        made.append(SandboxProvider(url, seconds=1.0))
        return made[-1]

    yield at
    for provider in made:
        await provider.aclose()


@pytest.fixture
def shop(database: Database, sandbox: Sandbox, provider_at: Callable[[str], SandboxProvider]) -> Shop:
    """Its order-1 waits for its payment."""
    return Shop(database, provider_at(sandbox.url))
