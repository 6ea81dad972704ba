"""A provider or an order-worker that answers anything: nothing is concluded from it, and nothing breaks."""

import gzip
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.odd_server import odd_server, reply
from adapters.sandbox import Sandbox
from integration.payments.shop import AUTHORIZED, REFUNDED, ProviderAt, Shop
from payment_worker.adapters.orders import HttpOrders
from payment_worker.domain.order import Customer, Order, OrderMissingError
from payment_worker.ports import OrdersAwayError, ProviderAwayError, UnclearError
from shared.service.problem import Kind, Problem
from support.ports import free_port
from unit.payments.examples import CAPTURE

FACTS = {"payment_id": "payment-1", "order_id": "order-1", "amount": 3700, "currency": "EUR"}


def said(**changes: Any) -> bytes:
    return json.dumps({"status": "captured", **FACTS, **changes}).encode()


ODD = {
    "no JSON": reply("200 OK", b"<html>"),
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "nothing": b"",
    "not UTF-8": reply("200 OK", b"\xff\xfe"),
    "an empty body": reply("200 OK"),
    "an empty object": reply("200 OK", b"{}"),
    "another amount": reply("200 OK", said(amount=3701)),
    "an amount as text": reply("200 OK", said(amount="3700")),
    "another currency": reply("200 OK", said(currency="USD")),
    "another payment": reply("200 OK", said(payment_id="payment-2")),
    "another order": reply("200 OK", said(order_id="order-2")),
    "another state": reply("200 OK", said(status="pending")),
    "captured with 402": reply("402 Payment Required", said()),
    "declined with 200": reply("200 OK", said(status="declined")),
    "declined for another payment": reply(
        "402 Payment Required", said(status="declined", payment_id="payment-2")
    ),
    "202": reply("202 Accepted", said()),
    "a redirect": reply("307 Temporary Redirect", b"", "Location: http://127.0.0.1:1/v1/captures"),
    "401": reply("401 Unauthorized", b"{}"),
    "404": reply("404 Not Found", b"{}"),
    "429": reply("429 Too Many Requests", b"{}"),
    "500": reply("500 Internal Server Error", said()),
    "503": reply("503 Service Unavailable", b"{}"),
    "10 MB": reply("200 OK", said(more="x" * 10_000_000)),
    "compressed": reply("200 OK", gzip.compress(said()), "Content-Encoding: gzip"),
    "half of it": reply("200 OK", said())[:-20],
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
async def test_an_odd_answer_says_nothing_about_the_money(odd: bytes, provider_at: ProviderAt) -> None:
    async with odd_server(odd) as server:
        with pytest.raises(UnclearError) as caught:
            await provider_at(server.url).capture("capture:payment-1", CAPTURE)

    assert "tok_ok" not in str(caught.value)
    assert len(server.requests) == 1
    assert b"\r\nIdempotency-Key: capture:payment-1\r\n" in server.requests[0]


@pytest.mark.parametrize(("answer", "drip"), [(None, 0.0), (reply("200 OK", said()), 0.05)])
async def test_no_call_takes_longer_than_its_limit(
    answer: bytes | None, drip: float, provider_at: ProviderAt
) -> None:
    async with odd_server(answer, drip=drip) as server:
        began = time.monotonic()
        with pytest.raises(UnclearError):
            await provider_at(server.url, 1.0).capture("capture:payment-1", CAPTURE)

    assert time.monotonic() - began < 6


async def test_a_provider_that_is_not_there_has_certainly_done_nothing(
    provider_at: ProviderAt,
) -> None:
    provider = provider_at(f"http://127.0.0.1:{free_port()}")

    with pytest.raises(ProviderAwayError):
        await provider.capture("capture:payment-1", CAPTURE)
    assert await provider.trouble() is not None


async def test_a_provider_that_is_silent_is_in_trouble_sooner_than_a_call_ends(
    provider_at: ProviderAt,
) -> None:
    async with odd_server() as server:
        began = time.monotonic()
        assert await provider_at(server.url, 30.0).trouble() is not None

    assert time.monotonic() - began < 10


@pytest.mark.parametrize("odd", ["10 MB", "another amount", "a redirect", "500", "no HTTP"])
async def test_what_an_odd_answer_left_unknown_is_cleared_up(
    shop: Shop, sandbox: Sandbox, provider_at: ProviderAt, odd: str
) -> None:
    provider = shop.provider
    async with odd_server(ODD[odd]) as server:
        shop.provider = provider_at(server.url)
        assert await shop.deliver(AUTHORIZED) == "postponed provider_unclear"
        assert await shop.status() == "unknown"
        shop.provider = provider
        assert await shop.deliver(AUTHORIZED) == "completed"
        shop.provider = provider_at(server.url)
        assert await shop.deliver(REFUNDED, "back") == "postponed provider_unclear"
        shop.provider = provider
        assert await shop.deliver(REFUNDED, "back") == "completed"

    assert sandbox.moved() == [("capture", "payment-1", 3700), ("refund", "payment-1", 3700)]
    assert await shop.failures() == 0


ORDER = {
    "order_id": "order-1",
    "status": "pending",
    "customer": {"id": "customer-1", "email": "ada@example.com", "name": "Ada Lovelace", "locale": None},
    "lines": [{"sku": "mug", "quantity": 1, "unit_price": 3700}],
    "currency": "EUR",
    "total": 3700,
}


def order(**changes: Any) -> bytes:
    return json.dumps({**ORDER, **changes}).encode()


@pytest.fixture
async def orders_at() -> AsyncIterator[Callable[[str], HttpOrders]]:
    made: list[HttpOrders] = []

    def at(url: str) -> HttpOrders:
        made.append(HttpOrders(url, SecretStr("a service key")))
        return made[-1]

    yield at
    for orders in made:
        await orders.aclose()


@pytest.mark.parametrize(("status", "cancelled"), [("pending", False), ("cancelled", True), ("paid", False)])
async def test_an_order_is_read_as_order_worker_tells_it(
    orders_at: Callable[[str], HttpOrders], status: str, cancelled: bool
) -> None:
    async with odd_server(reply("200 OK", order(status=status))) as server:
        known = await orders_at(server.url).find("order-1")

    customer = Customer("customer-1", "ada@example.com", "Ada Lovelace")
    assert known == Order(
        order_id="order-1", total=3700, currency="EUR", cancelled=cancelled, customer=customer
    )
    assert server.requests[0].startswith(b"GET /v1/orders/order-1 HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer a service key\r\n" in server.requests[0]


async def test_an_order_is_missing_only_where_order_worker_says_so(
    orders_at: Callable[[str], HttpOrders],
) -> None:
    async with odd_server(reply("404 Not Found", bytes(Problem(Kind.NOT_FOUND).response().body))) as server:
        with pytest.raises(OrderMissingError):
            await orders_at(server.url).find("order-1")


@pytest.mark.parametrize(
    "odd",
    [
        reply("404 Not Found", b"no such page"),
        reply("404 Not Found", b"{}"),
        reply("200 OK", order(order_id="order-2")),
        reply("200 OK", order(total="3700")),
        reply("200 OK", order(total=-1)),
        reply("200 OK", order(customer=None)),
        reply("200 OK", b"[]"),
        reply("200 OK", order(more="x" * 10_000_000)),
        reply("302 Found", b"", "Location: http://127.0.0.1:1/"),
        reply("401 Unauthorized", b"{}"),
        reply("503 Service Unavailable", b"{}"),
        b"nonsense",
    ],
    ids=range(12),
)
async def test_an_odd_order_worker_is_away(odd: bytes, orders_at: Callable[[str], HttpOrders]) -> None:
    async with odd_server(odd) as server:
        with pytest.raises(OrdersAwayError):
            await orders_at(server.url).find("order-1")


async def test_an_order_worker_that_is_not_there_is_away(orders_at: Callable[[str], HttpOrders]) -> None:
    with pytest.raises(OrdersAwayError):
        await orders_at(f"http://127.0.0.1:{free_port()}").find("order-1")
