"""What the workers answer, through the gateway."""

import dataclasses
from collections.abc import Callable

import httpx
import pytest
from pydantic import SecretStr

from gateway.adapters.workers import Workers
from integration.gateway.house import SERVICE_KEY, House

ADDRESSES = {
    "order-worker": "http://orders",
    "payment-worker": "http://payments",
    "inventory-worker": "http://inventory",
    "notification-worker": "http://notifications",
}


def _stand_in(house: House, answer: Callable[[httpx.Request], httpx.Response]) -> None:
    """Lets this function be all of the workers."""
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    state = house.gateway.app.state
    state.parts = dataclasses.replace(state.parts, workers=Workers(client, ADDRESSES, SecretStr(SERVICE_KEY)))


async def test_a_worker_is_asked_with_the_services_key_and_its_answer_passed_on(house: House) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"order_id": "1042", "status": "paid"}, headers={"Set-Cookie": "a=b"})

    _stand_in(house, answer)

    reply = await house.client.get("/v1/orders/1042")

    assert (reply.status_code, reply.json()) == (200, {"order_id": "1042", "status": "paid"})
    assert "set-cookie" not in reply.headers
    assert str(asked[0].url) == "http://orders/v1/orders/1042"
    assert asked[0].headers["authorization"] == f"Bearer {SERVICE_KEY}"


async def test_stock_is_set_through_the_gateway(house: House) -> None:
    _stand_in(house, lambda request: httpx.Response(200, content=request.content))

    reply = await house.client.put("/v1/inventory/MUG", json={"on_hand": 5, "low_stock_threshold": 1})

    assert (reply.status_code, reply.json()) == (200, {"on_hand": 5, "low_stock_threshold": 1})


async def test_a_query_goes_to_the_worker_and_its_next_page_comes_back(house: House) -> None:
    link = '</v1/users/7/notifications?limit=2&cursor=abc>; rel="next"'
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"items": []}, headers={"Link": link})

    _stand_in(house, answer)

    reply = await house.client.get("/v1/users/7/notifications?limit=2")

    assert asked == ["http://notifications/v1/users/7/notifications?limit=2"]
    assert reply.headers["link"] == link


async def test_payments_are_asked_for_by_their_order(house: House) -> None:
    _stand_in(house, lambda request: httpx.Response(200, json={"asked": str(request.url)}))

    reply = await house.client.get("/v1/payments", params={"order_id": "10&42"})

    assert reply.json() == {"asked": "http://payments/v1/payments?order_id=10%2642"}


async def test_a_notification_is_marked_as_read_without_a_body(house: House) -> None:
    _stand_in(house, lambda request: httpx.Response(200, json={"asked": f"{request.method} {request.url}"}))

    reply = await house.client.post("/v1/users/7/notifications/n-1/read")

    assert reply.json() == {"asked": "POST http://notifications/v1/users/7/notifications/n-1/read"}


@pytest.mark.parametrize("status", [404, 409, 422])
async def test_a_workers_refusal_is_passed_on(house: House, status: int) -> None:
    _stand_in(
        house,
        lambda _: httpx.Response(
            status, json={"title": "its own words"}, headers={"Content-Type": "application/problem+json"}
        ),
    )

    reply = await house.client.put("/v1/inventory/MUG", json={})

    assert (reply.status_code, reply.json()) == (status, {"title": "its own words"})
    assert reply.headers["content-type"] == "application/problem+json"


def _refuse(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody listens")


def _stall(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("no answer")


def _lead_away(_: httpx.Request) -> httpx.Response:
    return httpx.Response(302, headers={"Location": "http://evil.example"})


def _saying(status: int) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status)


@pytest.mark.parametrize("answer", [_refuse, _stall, _lead_away, *map(_saying, (500, 503, 401, 403, 429))])
async def test_a_worker_that_cannot_be_asked_is_503_with_retry_after(
    house: House, answer: Callable[[httpx.Request], httpx.Response]
) -> None:
    _stand_in(house, answer)

    reply = await house.client.get("/v1/orders/1042")

    assert (reply.status_code, reply.json()["type"]) == (503, "urn:shop-queue:problem:unavailable")
    assert int(reply.headers["retry-after"]) > 0


class Leaving:
    """A worker whose first connections end like this, as those to a process that goes; then it answers."""

    def __init__(self, *ends: httpx.HTTPError) -> None:
        self.asked = 0
        self._ends = list(ends)

    def __call__(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self._ends:
            raise self._ends.pop(0)
        return httpx.Response(200, json={})


_UNREACHED = (httpx.ConnectError("refused"), httpx.ConnectTimeout("the pod is gone"))
_CUT_OFF = (httpx.RemoteProtocolError("disconnected"), httpx.ReadError("reset"))


@pytest.mark.parametrize("end", [*_UNREACHED, *_CUT_OFF], ids=repr)
async def test_a_read_whose_worker_goes_is_asked_of_the_next(house: House, end: httpx.HTTPError) -> None:
    _stand_in(house, leaving := Leaving(end))

    reply = await house.client.get("/v1/orders/1042")

    assert (reply.status_code, leaving.asked) == (200, 2)


@pytest.mark.parametrize("end", _UNREACHED, ids=repr)
async def test_a_change_that_reached_nobody_is_asked_of_the_next(house: House, end: httpx.HTTPError) -> None:
    _stand_in(house, leaving := Leaving(end))

    reply = await house.client.put("/v1/inventory/MUG", json={"on_hand": 5, "low_stock_threshold": 1})

    assert (reply.status_code, leaving.asked) == (200, 2)


@pytest.mark.parametrize("end", _CUT_OFF, ids=repr)
async def test_a_change_that_may_have_happened_is_not_made_again(house: House, end: httpx.HTTPError) -> None:
    _stand_in(house, leaving := Leaving(end))

    reply = await house.client.put("/v1/inventory/MUG", json={"on_hand": 5, "low_stock_threshold": 1})

    assert (reply.status_code, leaving.asked) == (503, 1)


async def test_a_worker_is_asked_twice_at_most(house: House) -> None:
    _stand_in(house, leaving := Leaving(*_CUT_OFF))

    reply = await house.client.get("/v1/orders/1042")

    assert (reply.status_code, leaving.asked) == (503, 2)


async def test_a_worker_that_does_not_run_is_503(house: House) -> None:
    reply = await house.client.get("/v1/orders/1042")

    assert (reply.status_code, "retry-after" in reply.headers) == (503, True)


@pytest.mark.parametrize("path", ["/v1/orders/..", "/v1/orders/a%2Fb", "/v1/orders/%3Fx", "/v1/orders/a%00"])
async def test_a_path_leads_nowhere_else(house: House, path: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    _stand_in(house, answer)

    reply = await house.client.get(path)

    assert reply.status_code in {404, 422}
    assert asked == []


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{", 400), (b'{"a":NaN}', 422), (b'{"a":1,"a":2}', 422), (b" " * 300_000, 413)],
)
async def test_a_bad_body_does_not_reach_a_worker(house: House, body: bytes, status: int) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    _stand_in(house, answer)

    reply = await house.client.put(
        "/v1/inventory/MUG", content=body, headers={"Content-Type": "application/json"}
    )

    assert (reply.status_code, asked) == (status, [])
