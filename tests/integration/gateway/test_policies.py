"""Every route against every kind of client: nothing is open by default."""

from datetime import timedelta
from typing import Any

import pytest

from integration.gateway.house import HEADERS, SERVICE_KEY, House, order_created
from shared.service.keys import SCOPES
from shared.store.tables import utc_now

OPEN = {"/health", "/livez", "/readyz", "/metrics"}

ALLOWED: dict[tuple[str, str], set[str]] = {
    ("POST", "/v1/events"): {"events:write", "events:write:ORDER_CREATED", "admin:write"},
    ("POST", "/v1/events/batch"): {"events:write", "events:write:ORDER_CREATED", "admin:write"},
    ("GET", "/v1/events"): {"events:read", "admin:read"},
    ("GET", "/v1/events/{event_id}"): {"events:read", "admin:read"},
    ("GET", "/v1/timeline/{correlation_id}"): {"events:read", "admin:read"},
    ("GET", "/v1/event-types"): {"events:read", "admin:read"},
    ("GET", "/v1/event-types/{type_name}"): {"events:read", "admin:read"},
    ("GET", "/v1/orders/{order_id}"): {"events:read", "admin:read"},
    ("GET", "/v1/inventory/{sku}"): {"events:read", "admin:read"},
    ("PUT", "/v1/inventory/{sku}"): {"admin:write"},
    ("GET", "/v1/payments"): {"events:read", "admin:read"},
    ("GET", "/v1/users/{user_id}/notifications"): {"events:read", "admin:read"},
    ("POST", "/v1/users/{user_id}/notifications/{notification_id}/read"): {"events:write", "admin:write"},
    ("GET", "/v1/templates/{key}"): {"admin:read"},
    ("PUT", "/v1/templates/{key}"): {"admin:write"},
    ("POST", "/internal/v1/handover"): {"service"},
    ("GET", "/internal/v1/principal"): {*SCOPES, "events:write:ORDER_CREATED", "service"},
}
"""The scopes that open a route, each alone."""

SCOPES_TRIED = (*SCOPES, "events:write:ORDER_CREATED", "service")


def _routes(house: House) -> set[tuple[str, str]]:
    paths: dict[str, dict[str, Any]] = house.gateway.app.openapi()["paths"]
    return {
        (method.upper(), path) for path, methods in paths.items() for method in methods if path not in OPEN
    }


async def _ask(house: House, route: tuple[str, str], headers: dict[str, str]) -> int:
    """The status of a request that is wrong in every way but its key."""
    method, path = route
    path = path.replace("{", "").replace("}", "") + "?limit=0"
    answer = await house.client.request(method, path, headers=headers, content=b"\xff")
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    return answer.status_code


async def test_every_route_states_its_policy_here(house: House) -> None:
    assert _routes(house) == set(ALLOWED)


async def test_without_a_valid_key_every_route_is_401_whatever_else_is_wrong(house: House) -> None:
    expired = await house.admit(
        "expired-key-of-a-client", *SCOPES, expires_at=utc_now() - timedelta(seconds=1)
    )
    revoked = await house.admit("revoked-key-of-a-client", *SCOPES, revoked_at=utc_now())
    nobody = [
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer " + "x" * 10_000},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Authorization": HEADERS["Authorization"].replace("Bearer ", "")},
        expired,
        revoked,
    ]

    statuses = {await _ask(house, route, headers) for route in _routes(house) for headers in nobody}

    assert statuses == {401}


@pytest.mark.parametrize("scope", SCOPES_TRIED)
async def test_a_scope_opens_its_routes_and_no_other(house: House, scope: str) -> None:
    client = await house.admit(f"key-of-a-client-{scope}", scope)

    opened = {route for route in _routes(house) if await _ask(house, route, client) != 403}

    assert opened == {route for route, scopes in ALLOWED.items() if scope in scopes}


async def test_the_service_key_opens_nothing_but_what_the_services_need(house: House) -> None:
    service = {"Authorization": f"Bearer {SERVICE_KEY}"}

    opened = {route for route in _routes(house) if await _ask(house, route, service) != 403}

    assert opened == {("POST", "/internal/v1/handover"), ("GET", "/internal/v1/principal")}


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("events:write", 403),
        ("events:write:ORDER_CREATED", 403),
        ("events:write:LOW_STOCK_ALERT", 202),
        ("admin:write", 202),
    ],
)
async def test_an_internal_event_needs_a_scope_of_its_own(house: House, scope: str, status: int) -> None:
    client = await house.admit("key-of-some-client", scope)
    alert = {"type": "LOW_STOCK_ALERT", "data": {"sku": "MUG", "available": 1, "threshold": 5}}

    assert (await house.publish(alert, **client)).status_code == status


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("events:write", 202),
        ("events:write:ORDER_CREATED", 202),
        ("events:write:ORDER_SHIPPED", 403),
        ("admin:write", 202),
    ],
)
async def test_who_may_publish_an_event_that_is_not_internal(house: House, scope: str, status: int) -> None:
    client = await house.admit("key-of-some-client", scope)

    assert (await house.publish(order_created(), **client)).status_code == status


async def test_a_principal_is_told_who_it_is(house: House) -> None:
    client = await house.admit("key-of-some-client", "events:read", "events:write", name="shop")

    answer = await house.client.get("/internal/v1/principal", headers=client)

    assert answer.json() == {"name": "shop", "scopes": ["events:read", "events:write"]}


async def test_a_new_admin_key_takes_the_place_of_the_old_one(house: House) -> None:
    await house.gateway.keys.admit_admin("another-admin-key-entirely")

    new = await house.client.get("/v1/events", headers={"Authorization": "Bearer another-admin-key-entirely"})
    old = await house.client.get("/v1/events")

    assert (new.status_code, old.status_code) == (200, 401)
