"""A worker's own database, migrated as it is when the worker starts, and the worker on it."""

import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI

import inventory_worker.main
import inventory_worker.settings
import order_worker.main
import order_worker.settings
from adapters.authenticator import FakeAuthenticator
from shared.store.database import Database
from shared.store.migrate import migrate
from support.ports import free_port

SERVICE_KEY = "a key of the services of this test"


@pytest.fixture
def service(request: pytest.FixtureRequest) -> str:
    """The package of the worker; each module of tests says which."""
    package: str = request.param
    return package


@pytest.fixture
def migrated_url(service: str, database_url: str) -> str:
    migrate(database_url, service)
    return database_url


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    database = Database(migrated_url)
    yield database
    await database.close()


@pytest.fixture
def redis_address() -> str:
    """Where the worker looks for Redis: nowhere, unless a module of tests says otherwise."""
    return f"redis://127.0.0.1:{free_port()}"


@pytest.fixture
def app(service: str, migrated_url: str, redis_address: str) -> FastAPI:
    """The worker's application, not started. There is no gateway."""
    environment = {
        "DATABASE_URL": migrated_url,
        "REDIS_URL": redis_address,
        "QUEUE_SERVICE_KEY": SERVICE_KEY,
        "GATEWAY_URL": f"http://127.0.0.1:{free_port()}",
        "QUEUE_LEASE_SECONDS": 60,  # a shared machine may stop for a while; nothing here is about leases
    }
    if service == "order_worker":
        return order_worker.main.create_app(order_worker.settings.Settings.model_validate(environment))
    settings = inventory_worker.settings.Settings.model_validate(
        {**environment, "OPERATORS_EMAIL": "ops@example.com"}
    )
    return inventory_worker.main.create_app(settings)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the worker that may do everything; the worker does not consume."""
    app.state.authenticator = FakeAuthenticator()
    headers = {"Authorization": "Bearer events:read,admin:write"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        yield client
    await app.state.database.close()


@pytest.fixture
def _logs_of_pytest() -> Iterator[None]:
    """A service sends all logs of its process to stdout, which here is not its own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
async def started(app: FastAPI, _logs_of_pytest: None) -> AsyncIterator[FastAPI]:
    """The worker, consuming."""
    async with app.router.lifespan_context(app):
        yield app
