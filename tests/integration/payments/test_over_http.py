"""What payment-worker answers."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from adapters.authenticator import FakeAuthenticator
from adapters.sandbox import Sandbox
from payment_worker.adapters.claiming import Claimant
from payment_worker.adapters.payments import SqlPayments
from payment_worker.domain.payment import PaymentStatus
from payment_worker.main import create_app
from payment_worker.settings import Settings
from shared.store.database import Database
from support.ports import free_port
from unit.payments.examples import CAPTURE, a_payment

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def app(migrated_url: str, sandbox: Sandbox) -> FastAPI:
    """The application, not started; there is no Redis."""
    environment = {
        "DATABASE_URL": migrated_url,
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}",
        "QUEUE_SERVICE_KEY": "a key of the services of this test",
        "GATEWAY_URL": f"http://127.0.0.1:{free_port()}",
        "PAYMENT_SANDBOX_URL": sandbox.url,
    }
    return create_app(Settings.model_validate(environment))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    app.state.authenticator = FakeAuthenticator()
    headers = {"Authorization": "Bearer events:read"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        yield client
    await app.state.database.close()


@pytest.fixture
async def _two_payments(database: Database) -> None:
    """A declined one, and an hour later one that was captured and partly refunded."""
    declined = a_payment(PaymentStatus.DECLINED)
    captured = a_payment(PaymentStatus.PARTLY_REFUNDED, refunded=700, refunding=100)
    captured = replace(captured, payment_id="payment-2")
    async with database.transaction() as session:
        for hours, payment in enumerate((declined, captured)):
            claimant = Claimant("test", NOW + timedelta(hours=hours), timedelta())
            assert await SqlPayments(session, claimant).add(payment)


@pytest.mark.usefixtures("_two_payments")
async def test_the_payments_of_an_order_are_answered_newest_first(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/payments?order_id=order-1")

    assert answer.status_code == 200
    money = {"order_id": "order-1", "amount": 3700, "currency": "EUR"}
    assert answer.json() == {
        "items": [
            {
                "payment_id": "payment-2",
                **money,
                "status": "partly_refunded",
                "refunding": 100,
                "refunded": 700,
                "created_at": "2026-01-02T04:04:05Z",
            },
            {
                "payment_id": "payment-1",
                **money,
                "status": "declined",
                "refunding": 0,
                "refunded": 0,
                "created_at": "2026-01-02T03:04:05Z",
            },
        ]
    }
    assert CAPTURE.method_digest not in answer.text


@pytest.mark.usefixtures("_two_payments")
async def test_a_limit_leaves_the_newest(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/payments?order_id=order-1&limit=1")

    assert [item["payment_id"] for item in answer.json()["items"]] == ["payment-2"]


async def test_an_order_without_payments_has_none(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/payments?order_id=order-9")

    assert (answer.status_code, answer.json()) == (200, {"items": []})


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?order_id=",
        "?order_id=-1",
        "?order_id=a%00b",
        "?order_id=o&limit=0",
        "?order_id=o&limit=1000000000",
        "?order_id=o&limit=x",
        "?order_id=o&other=evil",
    ],
)
async def test_what_cannot_be_asked_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/payments{query}")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    ("key", "status"), [("", 401), ("Bearer unknown", 401), ("Bearer events:write", 403)]
)
async def test_a_key_that_may_read_is_needed(client: httpx.AsyncClient, key: str, status: int) -> None:
    answer = await client.get("/v1/payments?limit=0", headers={"Authorization": key})

    assert answer.status_code == status


async def test_it_is_not_ready_while_the_provider_is_away(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    with_it = (await client.get("/readyz")).json()["troubles"]
    sandbox.process.kill9()
    without = (await client.get("/readyz")).json()["troubles"]
    sandbox.start()

    assert "provider" not in with_it
    assert "provider" in without
    assert "provider" not in (await client.get("/readyz")).json()["troubles"]
