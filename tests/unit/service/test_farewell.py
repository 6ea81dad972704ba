"""The last answer on a connection says that it is the last."""

import httpx
import pytest
from fastapi import FastAPI

from shared.service.farewell import Farewell


@pytest.fixture
def farewell() -> Farewell:
    app = FastAPI()

    @app.get("/")
    async def show() -> str:
        return "here"

    _ = show
    return Farewell(app)


def client_of(app: Farewell) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def test_connections_are_kept_until_it_begins(farewell: Farewell) -> None:
    async with client_of(farewell) as client:
        assert "connection" not in (await client.get("/")).headers


async def test_then_every_answer_gives_its_connection_up_errors_included(farewell: Farewell) -> None:
    farewell.begin()

    async with client_of(farewell) as client:
        found, missed = await client.get("/"), await client.get("/nowhere")

    assert found.json() == "here"
    assert found.headers["connection"] == missed.headers["connection"] == "close"
