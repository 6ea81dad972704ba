import asyncio
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI

from shared.service.keys import SCOPES, GatewayKeys, Policy, Principal
from shared.service.problem import Problem, answer_with_problems

SERVICE_KEY = "service-key-of-these-tests"


class Gateway:
    """A gateway that knows one key, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.away:
            raise httpx.ConnectError("nobody listens")
        if request.headers["authorization"] != "Bearer shop-key":
            return httpx.Response(401)
        return httpx.Response(200, json={"name": "shop", "scopes": ["events:read"]})

    def keys(self, *, remember: float = 30.0) -> GatewayKeys:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer), base_url="http://gateway")
        return GatewayKeys(SERVICE_KEY, client, remember=remember)


async def test_the_service_key_is_the_gateway_and_nobody_is_asked() -> None:
    gateway = Gateway()

    principal = await gateway.keys().principal(SERVICE_KEY)

    assert principal == Principal("gateway", frozenset(SCOPES))
    assert gateway.asked == 0


async def test_the_gateway_is_asked_about_another_key_once_in_a_while() -> None:
    gateway = Gateway()
    keys = gateway.keys()

    principals = [await keys.principal("shop-key") for _ in range(3)]

    assert principals == [Principal("shop", frozenset({"events:read"}))] * 3
    assert gateway.asked == 1


async def test_many_requests_at_once_ask_once() -> None:
    gateway = Gateway()
    keys = gateway.keys(remember=0.0)

    principals = await asyncio.gather(*(keys.principal("shop-key") for _ in range(50)))

    assert {principal.name for principal in principals if principal} == {"shop"}
    assert gateway.asked == 1


async def test_what_the_gateway_said_is_forgotten_after_a_while() -> None:
    gateway = Gateway()
    keys = gateway.keys(remember=0.0)

    await keys.principal("shop-key")
    await keys.principal("shop-key")

    assert gateway.asked == 2


async def test_a_key_that_the_gateway_does_not_know_is_nobodys() -> None:
    assert await Gateway().keys().principal("wrong") is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"Location": "http://evil.example"}),
        httpx.Response(200, text="no json"),
    ],
)
async def test_while_the_gateway_cannot_say_it_is_503(answer: httpx.Response) -> None:
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer), base_url="http://gateway")

    with pytest.raises(Problem) as raised:
        await GatewayKeys(SERVICE_KEY, client).principal("shop-key")

    assert (raised.value.kind.status, "Retry-After" in raised.value.headers) == (503, True)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def client(gateway: Gateway) -> httpx.AsyncClient:
    """Of a worker with a route for anyone, one for readers, and one for administrators."""
    app = FastAPI()
    answer_with_problems(app)
    app.state.authenticator = gateway.keys()

    @app.get("/anyone")
    async def anyone(principal: Annotated[Principal, Depends(Policy())]) -> str:
        return principal.name

    @app.get("/readers", dependencies=[Depends(Policy("events:read", "admin:read"))])
    async def readers(number: int) -> int:
        return number

    @app.get("/admins", dependencies=[Depends(Policy("admin:write"))])
    async def admins() -> None: ...

    _ = anyone, readers, admins
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic c2hvcC1rZXk=", "shop-key", "Bearer wrong"]
)
async def test_without_a_valid_key_it_is_401_before_anything_else(
    client: httpx.AsyncClient, header: str
) -> None:
    answer = await client.get("/readers?number=x", headers={"Authorization": header})

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_key_that_can_be_none_does_not_reach_the_gateway(
    client: httpx.AsyncClient, gateway: Gateway
) -> None:
    for key in ("x" * 257, "Schlüssel", "a b"):
        answer = await client.get("/anyone", headers=[(b"Authorization", f"Bearer {key}".encode())])
        assert answer.status_code == 401

    assert gateway.asked == 0


@pytest.mark.parametrize(
    ("path", "status"), [("/anyone", 200), ("/readers?number=1", 200), ("/readers", 422), ("/admins", 403)]
)
async def test_a_key_opens_what_its_scopes_allow(client: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await client.get(path, headers={"Authorization": "Bearer shop-key"})

    assert answer.status_code == status


async def test_the_gateway_may_use_every_route(client: httpx.AsyncClient) -> None:
    answer = await client.get("/admins", headers={"Authorization": f"Bearer {SERVICE_KEY}"})

    assert answer.status_code == 200


async def test_a_worker_that_cannot_ask_the_gateway_answers_503(
    client: httpx.AsyncClient, gateway: Gateway
) -> None:
    gateway.away = True

    answer = await client.get("/anyone", headers={"Authorization": "Bearer shop-key"})

    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


@pytest.mark.parametrize(
    ("scopes", "asked", "may"),
    [
        ({"events:write"}, "events:write", True),
        ({"events:write:ORDER_PAID"}, "events:write", False),
        ({"events:write:ORDER_PAID"}, "events:write:*", True),
        ({"events:write"}, "events:write:*", False),
        (set[str](), "events:read", False),
    ],
)
def test_a_scope_is_exactly_itself_unless_any_that_begins_so_will_do(
    scopes: set[str], asked: str, may: bool
) -> None:
    assert Principal("shop", frozenset(scopes)).may(asked) is may
