"""What a client is told when a route's statement fails: to come again, or that the service is at fault."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from typing import ClassVar

import httpx
import psycopg
import pytest
from fastapi import APIRouter
from psycopg.sql import SQL, Identifier
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shared.service.app import Writing, create_service
from shared.service.health import Health
from shared.service.metrics.counting import Metrics
from shared.service.settings import ServiceSettings
from shared.store.database import Database

FAULT = "urn:shop-queue:problem:fault"
UNAVAILABLE = "urn:shop-queue:problem:unavailable"


class Settings(ServiceSettings):
    name: ClassVar[str] = "counter"


router = APIRouter()


@router.post("/made")
async def make(session: Writing) -> None:
    await session.execute(text("CREATE TABLE made (n INTEGER PRIMARY KEY)"))


@router.post("/counted")
async def count(session: Writing) -> None:
    await session.execute(text("INSERT INTO made VALUES (1)"))


@asynccontextmanager
async def idle() -> AsyncGenerator[None]:
    yield


@asynccontextmanager
async def open_service(
    database: Database, *, tells_faults: bool = False
) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of a service on this database. With `tells_faults` it raises what the server would log."""
    settings = Settings.model_validate({"DATABASE_URL": "sqlite://", "QUEUE_SERVICE_KEY": "k" * 16})
    app = create_service(
        settings,
        description="counts",
        health=Health(alive=lambda: None, needs={}),
        metrics=Metrics("counter"),
        tracing=None,
        lifespan=idle,
        routes=[router],
    )
    app.state.database = database
    transport = httpx.ASGITransport(app, raise_app_exceptions=tells_faults)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
    await database.close()


async def test_while_a_database_takes_no_writes_a_client_is_told_to_come_again(postgres_url: str) -> None:
    with closing(psycopg.connect(postgres_url, autocommit=True)) as admin:
        name = Identifier(admin.info.dbname)
        admin.execute(SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))

    async with open_service(Database(postgres_url)) as client:
        answer = await client.post("/made")

    assert (answer.status_code, answer.json()["type"]) == (503, UNAVAILABLE)
    assert int(answer.headers["retry-after"]) > 0


async def test_while_all_connections_are_taken_a_client_is_told_to_come_again(database_url: str) -> None:
    database = Database(database_url, patience=0.1)
    async with open_service(database) as client:
        assert (await client.post("/made")).is_success
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO made VALUES (1)"))

            answer = await client.post("/counted")

    assert (answer.status_code, answer.json()["type"]) == (503, UNAVAILABLE)


async def test_a_statement_that_is_to_blame_is_a_fault(database_url: str) -> None:
    async with open_service(Database(database_url)) as client:
        answers = [await client.post(path) for path in ("/made", "/counted", "/counted")]

    assert [answer.status_code for answer in answers] == [200, 200, 500]
    assert answers[-1].json()["type"] == FAULT


async def test_a_fault_of_a_statement_reaches_the_servers_log(database_url: str) -> None:
    async with open_service(Database(database_url), tells_faults=True) as client:
        for path in ("/made", "/counted"):
            await client.post(path)

        with pytest.raises(IntegrityError):
            await client.post("/counted")
