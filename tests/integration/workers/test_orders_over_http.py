"""What order-worker answers."""

import httpx
import pytest

from order_worker.adapters.orders import SqlOrders
from order_worker.domain import Order
from shared.store.database import Database
from unit.orders.examples import an_order, cancelled, shipped

pytestmark = pytest.mark.parametrize("service", ["order_worker"], indirect=True)


async def store(database: Database, order: Order) -> None:
    async with database.transaction() as session:
        await SqlOrders(session).add(order)


async def test_an_order_is_answered_with_its_state(client: httpx.AsyncClient, database: Database) -> None:
    await store(database, shipped())

    answer = await client.get("/v1/orders/order-1")

    assert answer.status_code == 200
    assert answer.json() == {
        "order_id": "order-1",
        "status": "shipped",
        "customer": {
            "id": "customer-1",
            "email": "ada@example.com",
            "name": "Ada Lovelace",
            "locale": "en",
        },
        "lines": [
            {"sku": "mug", "quantity": 2, "unit_price": 1250},
            {"sku": "pot", "quantity": 1, "unit_price": 1200},
        ],
        "currency": "EUR",
        "total": 3700,
        "payment_id": "payment-1",
        "carrier": "DHL",
        "tracking_number": "00340434161094042557",
        "cancel_reason": None,
    }


@pytest.mark.parametrize(
    ("order", "reason"), [(an_order(), None), (cancelled(), "changed my mind")], ids=["pending", "cancelled"]
)
async def test_an_order_tells_why_it_was_cancelled(
    client: httpx.AsyncClient, database: Database, order: Order, reason: str | None
) -> None:
    await store(database, order)

    answer = (await client.get("/v1/orders/order-1")).json()

    assert (answer["status"], answer["cancel_reason"]) == (order.status, reason)


async def test_an_order_that_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/orders/order-1")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "order-1" not in answer.text


@pytest.mark.parametrize("order_id", ["-1", "a" * 65, "a%00b", "%7B%7B7*7%7D%7D"])
async def test_what_can_be_no_order_id_is_refused_and_not_echoed(
    client: httpx.AsyncClient, order_id: str
) -> None:
    answer = await client.get(f"/v1/orders/{order_id}")

    assert answer.status_code == 422
    assert order_id not in answer.text


async def test_without_a_key_nothing_is_looked_at(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/orders/-1", headers={"Authorization": ""})).status_code == 401


async def test_a_key_needs_the_scope_to_read(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/orders/order-1", headers={"Authorization": "Bearer events:write"})

    assert answer.status_code == 403
