"""What the sandbox does with each token and each key."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from payment_sandbox.app import create_app
from payment_sandbox.settings import Settings

CAPTURE = {"payment_id": "p-1", "order_id": "o-1", "amount": 500, "currency": "EUR", "method": "tok_ok"}
REFUND = {"refund_id": "r-1", "payment_id": "p-1", "order_id": "o-1", "amount": 500, "currency": "EUR"}


class Client:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def capture(self, key: str | None = "k-1", **changes: Any) -> httpx.Response:
        return await self._post("/v1/captures", key, CAPTURE | changes)

    async def refund(self, key: str | None = "k-2", **changes: Any) -> httpx.Response:
        return await self._post("/v1/refunds", key, REFUND | changes)

    async def moved(self) -> list[tuple[str, int, str]]:
        entries = (await self.http.get("/v1/ledger")).json()["entries"]
        return [(entry["kind"], entry["amount"], entry["idempotency_key"]) for entry in entries]

    async def _post(self, path: str, key: str | None, body: dict[str, Any]) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.http.post(path, json=body, headers=headers)


@pytest.fixture
def shares() -> dict[str, float]:
    return {}


@pytest.fixture
async def client(tmp_path: Path, shares: dict[str, float]) -> AsyncIterator[Client]:
    settings = Settings.model_validate({"database": tmp_path / "ledger.db", **shares})
    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http,
    ):
        yield Client(http)


async def test_a_capture_is_one_entry_of_the_ledger(client: Client) -> None:
    answer = await client.capture()

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "captured",
        "payment_id": "p-1",
        "order_id": "o-1",
        "amount": 500,
        "currency": "EUR",
    }
    (entry,) = (await client.http.get("/v1/ledger")).json()["entries"]
    assert entry.pop("at").endswith("+00:00")
    assert entry == {
        "kind": "capture",
        "payment_id": "p-1",
        "order_id": "o-1",
        "amount": 500,
        "currency": "EUR",
        "idempotency_key": "k-1",
    }


async def test_the_same_key_gets_the_first_answer_again_and_has_one_effect(client: Client) -> None:
    answers = [(await client.capture()).json() for _ in range(3)]

    assert answers[0] == answers[1] == answers[2]
    assert await client.moved() == [("capture", 500, "k-1")]


@pytest.mark.parametrize("method", ["tok_ok", "tok_slow"])
async def test_two_at_once_with_one_key_are_one_effect(client: Client, method: str) -> None:
    answers = await asyncio.gather(*(client.capture(method=method) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert await client.moved() == [("capture", 500, "k-1")]


@pytest.mark.parametrize(
    "change", [{"amount": 501}, {"currency": "USD"}, {"order_id": "o-2"}, {"method": "tok_slow"}]
)
async def test_the_same_key_with_other_parameters_is_refused(client: Client, change: dict[str, Any]) -> None:
    await client.capture()

    answer = await client.capture(**change)

    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    assert len(await client.moved()) == 1


async def test_a_key_of_a_capture_is_no_key_of_a_refund(client: Client) -> None:
    await client.capture("k-1")

    assert (await client.refund("k-1")).json()["code"] == "key_reused"


async def test_two_keys_take_the_money_twice(client: Client) -> None:
    await client.capture("k-1")
    await client.capture("k-2")

    assert len(await client.moved()) == 2


@pytest.mark.parametrize(
    ("method", "code"), [("tok_declined", "declined"), ("tok_of_nobody", "invalid_method")]
)
async def test_a_declined_capture_takes_nothing_and_stays_declined(
    client: Client, method: str, code: str
) -> None:
    for _ in range(2):
        answer = await client.capture(method=method)
        assert answer.status_code == 402
        assert (answer.json()["status"], answer.json()["code"]) == ("declined", code)
    assert await client.moved() == []


async def test_tok_error_once_fails_first_and_takes_nothing_then(client: Client) -> None:
    assert (await client.capture(method="tok_error_once")).status_code == 500
    assert await client.moved() == []

    assert (await client.capture(method="tok_error_once")).status_code == 200
    assert len(await client.moved()) == 1


async def test_tok_error_fails_always(client: Client) -> None:
    assert [(await client.capture(method="tok_error")).status_code for _ in range(3)] == [500] * 3
    assert await client.moved() == []


async def test_tok_slow_takes_two_seconds_once(client: Client) -> None:
    began = time.monotonic()
    await client.capture(method="tok_slow")
    first = time.monotonic() - began
    await client.capture(method="tok_slow")

    assert first > 1.9
    assert time.monotonic() - began - first < 1.9


async def test_money_goes_back_up_to_what_was_taken(client: Client) -> None:
    await client.capture()

    assert (await client.refund("k-2", amount=200)).json()["status"] == "refunded"
    exceeding = await client.refund("k-3", refund_id="r-2", amount=301)
    assert (exceeding.status_code, exceeding.json()["code"]) == (422, "refund_exceeds_capture")
    assert exceeding.json()["status"] == "refused"
    assert (await client.refund("k-4", refund_id="r-3", amount=300)).status_code == 200

    assert [(kind, amount) for kind, amount, _ in await client.moved()] == [
        ("capture", 500),
        ("refund", 200),
        ("refund", 300),
    ]


@pytest.mark.parametrize("change", [{"payment_id": "p-2"}, {"currency": "USD"}])
async def test_of_what_was_not_taken_nothing_goes_back(client: Client, change: dict[str, Any]) -> None:
    await client.capture()

    assert (await client.refund(**change)).status_code == 422


@pytest.mark.parametrize("key", [None, "", "k" * 256])
async def test_a_key_is_needed(client: Client, key: str | None) -> None:
    answer = await client.capture(key)

    assert (answer.status_code, answer.json()["code"]) == (400, "key_missing")


@pytest.mark.parametrize("change", [{"amount": 0}, {"amount": "5"}, {"amount": 2**70}, {"more": 1}])
async def test_a_body_that_is_not_understood_is_refused_and_not_told_back(
    client: Client, change: dict[str, Any]
) -> None:
    answer = await client.capture(**change)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "tok_ok" not in answer.text


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
async def test_it_says_that_it_is_well(client: Client, path: str) -> None:
    assert (await client.http.get(path)).status_code == 200


@pytest.mark.parametrize("shares", [{"error_share": 0.3}])
async def test_a_share_of_the_keys_meets_a_fault_on_its_first_try(client: Client) -> None:
    first = [(await client.capture(f"k-{n}", payment_id=f"p-{n}")).status_code for n in range(100)]
    second = [(await client.capture(f"k-{n}", payment_id=f"p-{n}")).status_code for n in range(100)]

    assert 15 < first.count(500) < 45
    assert second == [200] * 100
    assert len(await client.moved()) == 100
