"""A gateway as it really is, in this process, and what a client sends it."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx

from gateway.adapters.tables import ApiKey
from gateway.adapters.writer import JournalWriter
from gateway.main import Gateway
from gateway.service import PATIENCE_SECONDS, Publishing
from gateway.settings import Settings
from shared.service.keys import hash_of
from shared.store.database import Database
from shared.store.tables import utc_now

SERVICE_KEY = "service-key-of-these-tests"
ADMIN_KEY = "admin-key-of-these-tests"
HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}
NOBODY_LISTENS = 1
"""A port on which no Redis will ever be."""


def settings(database_url: str, **others: Any) -> Settings:
    given: dict[str, Any] = {
        "DATABASE_URL": database_url,
        "QUEUE_SERVICE_KEY": SERVICE_KEY,
        "QUEUE_ADMIN_KEY": ADMIN_KEY,
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": NOBODY_LISTENS,
        **others,
    }
    return Settings.model_validate(given)


class House:
    """A running gateway, and a client that holds the admin key."""

    def __init__(self, gateway: Gateway, client: httpx.AsyncClient) -> None:
        self.gateway = gateway
        self.client = client

    @property
    def database(self) -> Database:
        return self.gateway.database

    def publish_with(
        self, *, clock: Callable[[], datetime] = utc_now, patience: float = PATIENCE_SECONDS
    ) -> None:
        """From now on it is this time, and requests wait so long for those with the same key."""
        writer = JournalWriter(self.database, self.gateway.relay)
        state = self.gateway.app.state
        state.parts = replace(state.parts, publishing=Publishing(writer, clock=clock, patience=patience))

    async def publish(self, event: Any, **headers: str) -> httpx.Response:
        return await self.client.post("/v1/events", json=event, headers=headers)

    async def publish_raw(self, body: bytes, **headers: str) -> httpx.Response:
        return await self.client.post(
            "/v1/events", content=body, headers={"Content-Type": "application/json", **headers}
        )

    async def published(self, event: Any) -> str:
        """The id of an event that was accepted."""
        answer = await self.publish(event)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    async def event(self, event_id: str) -> dict[str, Any]:
        answer = await self.client.get(f"/v1/events/{event_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def admit(self, key: str, *scopes: str, **columns: Any) -> dict[str, str]:
        """The headers of a client with a key of its own."""
        row = ApiKey(hash=hash_of(key), name=columns.pop("name", key), scopes=" ".join(scopes), **columns)
        async with self.database.transaction() as session:
            session.add(row)
        return {"Authorization": f"Bearer {key}"}

    async def hand_over(self, batch: Mapping[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {SERVICE_KEY}"}
        return await self.client.post("/internal/v1/handover", json=batch, headers=headers)


@asynccontextmanager
async def open_house(database_url: str, **others: Any) -> AsyncGenerator[House]:
    """A gateway with this database, which has its tables already. Without Redis, unless settings name one."""
    gateway = Gateway(settings(database_url, **others))
    transport = httpx.ASGITransport(gateway.app)
    async with (
        gateway.app.router.lifespan_context(gateway.app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=HEADERS) as client,
    ):
        yield House(gateway, client)


def order(order_id: str = "1042", **changes: Any) -> dict[str, Any]:
    """The data of an ORDER_CREATED: two mugs for 25.00."""
    return {
        "order_id": order_id,
        "customer": {"id": "c-7", "email": "ada@example.com", "name": "Ada Lovelace"},
        "lines": [{"sku": "MUG", "quantity": 2, "unit_price": 1250}],
        "currency": "EUR",
        "total": 2500,
        **changes,
    }


def order_created(order_id: str = "1042", **attributes: Any) -> dict[str, Any]:
    return {"type": "ORDER_CREATED", "data": order(order_id), **attributes}
