"""The database of notification-worker, a mail server, and workers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.mail_server import MailServer
from integration.notifications.house import NewWorker, Worker
from notification_worker.adapters.templates import SqlTemplates, seeds
from shared.store.database import Database
from shared.store.migrate import migrate


@pytest.fixture
def migrated_url(database_url: str) -> str:
    migrate(database_url, "notification_worker")
    return database_url


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    database = Database(migrated_url)
    async with database.transaction() as session:
        for template in seeds():
            await SqlTemplates(session).seed(template, overwrite=False)
    yield database
    await database.close()


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer() as server:
        yield server


@pytest.fixture
async def new_worker(database: Database, server: MailServer) -> AsyncIterator[NewWorker]:
    workers: list[Worker] = []

    def new(**what: Any) -> Worker:
        what.setdefault("name", f"worker-{len(workers) + 1}")
        workers.append(Worker(database, server, **what))
        return workers[-1]

    yield new
    for worker in workers:
        await worker.mailer.close()


@pytest.fixture
def worker(new_worker: NewWorker) -> Worker:
    return new_worker()
