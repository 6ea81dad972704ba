"""What inventory-worker answers."""

import json

import httpx
import pytest

from adapters.outbox import FakeOutbox
from inventory_worker.adapters.inventory import SqlInventory
from inventory_worker.service import StockService
from shared.store.database import Database
from unit.inventory.examples import line

pytestmark = pytest.mark.parametrize("service", ["inventory_worker"], indirect=True)

MUG = "/v1/inventory/mug"
TEN = {"on_hand": 10, "low_stock_threshold": 5}


async def reserve(database: Database, quantity: int) -> None:
    async with database.transaction() as session:
        await StockService(SqlInventory(session), FakeOutbox()).reserve_for(
            "order-1", [line("mug", quantity)]
        )


async def test_setting_the_stock_of_a_new_sku_makes_it(client: httpx.AsyncClient) -> None:
    answer = await client.put(MUG, json=TEN)

    mug = {"sku": "mug", "on_hand": 10, "reserved": 0, "available": 10, "low_stock_threshold": 5}
    assert (answer.status_code, answer.json()) == (200, mug)
    assert (await client.get(MUG)).json() == mug


async def test_what_orders_hold_is_reserved_and_not_available(
    client: httpx.AsyncClient, database: Database
) -> None:
    await client.put(MUG, json=TEN)
    await reserve(database, 4)

    stock = (await client.get(MUG)).json()

    assert (stock["on_hand"], stock["reserved"], stock["available"]) == (10, 4, 6)


async def test_stock_cannot_be_set_below_what_orders_hold(
    client: httpx.AsyncClient, database: Database
) -> None:
    await client.put(MUG, json=TEN)
    await reserve(database, 4)

    answer = await client.put(MUG, json={"on_hand": 3, "low_stock_threshold": 0})

    assert answer.status_code == 409
    stock = (await client.get(MUG)).json()
    assert (stock["on_hand"], stock["low_stock_threshold"]) == (10, 5)


async def test_a_sku_that_was_never_set_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get(MUG)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        {"on_hand": -1, "low_stock_threshold": 0},
        {"on_hand": 1, "low_stock_threshold": -1},
        {"on_hand": 10**9 + 1, "low_stock_threshold": 0},
        {"on_hand": True, "low_stock_threshold": 0},
        {"on_hand": "10", "low_stock_threshold": 0},
        {"on_hand": 1.5, "low_stock_threshold": 0},
        {"on_hand": None, "low_stock_threshold": 0},
        {"on_hand": 10},
        {**TEN, "secret": 1},
        [TEN],
        10,
        None,
    ],
    ids=json.dumps,
)
async def test_a_body_that_is_no_stock_is_refused_and_makes_nothing(
    client: httpx.AsyncClient, body: object
) -> None:
    answer = await client.put(MUG, content=json.dumps(body), headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert "secret" not in answer.text
    assert (await client.get(MUG)).status_code == 404


@pytest.mark.parametrize("body", [b"", b"{", b"{} {}", b"\xff"])
async def test_a_body_that_is_no_json_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.put(MUG, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400


async def test_a_body_of_another_type_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.put(MUG, content=json.dumps(TEN), headers={"Content-Type": "text/plain"})

    assert answer.status_code == 415


async def test_what_can_be_no_sku_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.put("/v1/inventory/-mug", json=TEN)).status_code == 422
    assert (await client.get("/v1/inventory/-mug")).status_code == 422


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_without_a_key_nothing_is_looked_at(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/v1/inventory/-mug", headers={"Authorization": ""})

    assert answer.status_code == 401


async def test_a_key_that_may_read_may_not_set(client: httpx.AsyncClient) -> None:
    reader = {"Authorization": "Bearer events:read"}

    assert (await client.put(MUG, json=TEN, headers=reader)).status_code == 403
    assert (await client.get(MUG, headers=reader)).status_code == 404
