import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.activity import Activity
from integration.gateway.house import House, order_created
from shared.events import EVENT_TYPES


class SomeActive:
    """Implements `ActiveEvents`."""

    def __init__(self, *ids: str) -> None:
        self._ids = set(ids)

    async def active(self, queue: str) -> set[str]:
        return self._ids if queue == "orders" else set()


def _let_run(house: House, *ids: str) -> None:
    state = house.gateway.app.state
    state.parts = dataclasses.replace(state.parts, activity=Activity(SomeActive(*ids)))


def _ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


async def test_a_list_is_newest_first(any_house: House) -> None:
    for n in range(5):
        await any_house.publish(order_created(str(n), id=f"e-{n}"))

    items = await any_house.items("/v1/events", limit=3)

    assert _ids(items) == ["e-4", "e-3", "e-2"]
    assert (
        items[0].items()
        >= {
            "id": "e-4",
            "type": "ORDER_CREATED",
            "queue": "orders",
            "status": "waiting",
            "subject": "order/4",
            "correlation_id": "4",
            "causation_id": None,
            "attempts": 0,
            "reason": None,
            "uncertain": False,
        }.items()
    )


async def test_pages_repeat_and_skip_nothing_while_events_are_added(any_house: House) -> None:
    for n in range(10):
        await any_house.publish(order_created(str(n), id=f"e-{n}"))
    await any_house.publish(
        {"type": "SEND_EMAIL", "data": {"to": "a@example.com", "subject": "x", "text": "x"}}
    )

    seen: list[str] = []
    path: str | None = "/v1/events?queue=orders&limit=3"
    while path:
        answer = await any_house.client.get(path)
        seen += _ids(answer.json()["items"])
        path = answer.links["next"]["url"] if answer.links else None
        assert (
            path is None
            or parse_qs(urlsplit(path).query).items() >= {"queue": ["orders"], "limit": ["3"]}.items()
        )
        await any_house.publish(order_created())

    assert seen == [f"e-{n}" for n in reversed(range(10))]


async def test_a_cursor_holds_for_no_other_filters(house: House) -> None:
    for n in range(3):
        await house.publish(order_created(str(n)))
    first = await house.client.get("/v1/events?queue=orders&limit=1")
    cursor = parse_qs(urlsplit(first.links["next"]["url"]).query)["cursor"][0]

    with_it = [
        await house.client.get("/v1/events", params={"cursor": cursor, **filters})
        for filters in ({"queue": "orders"}, {"queue": "orders", "limit": 2}, {}, {"queue": "payments"})
    ]
    forged = await house.client.get("/v1/events", params={"queue": "orders", "cursor": cursor[:-2] + "AA"})

    assert [answer.status_code for answer in with_it] == [200, 200, 422, 422]
    assert forged.status_code == 422


async def test_the_last_page_has_no_link(house: House) -> None:
    await house.publish(order_created())

    answer = await house.client.get("/v1/events?limit=1")

    assert "link" not in answer.headers


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"queue": "notifications"}, {"mail"}),
        ({"type": "ORDER_CREATED"}, {"now", "later"}),
        ({"type": "NOTHING"}, set[str]()),
        ({"status": "delayed"}, {"later"}),
        ({"status": "waiting"}, {"now", "mail"}),
        ({"status": "dead"}, set[str]()),
        ({"subject": "order/1"}, {"now"}),
        ({"correlation_id": "2"}, {"later"}),
        ({"correlation_id": "2", "status": "waiting"}, set[str]()),
        ({"from": "2020-01-01T00:00:00Z"}, {"now", "later", "mail"}),
        ({"to": "2020-01-01T00:00:00Z"}, set[str]()),
    ],
)
async def test_filters_narrow_a_list(any_house: House, query: dict[str, str], found: set[str]) -> None:
    await any_house.publish(order_created("1", id="now"))
    await any_house.publish(order_created("2", id="later", delay_ms=60_000))
    mail = {"to": "a@example.com", "subject": "x", "text": "x"}
    await any_house.publish({"type": "SEND_EMAIL", "data": mail, "id": "mail"})

    assert set(_ids(await any_house.items("/v1/events", **query))) == found


async def test_what_a_worker_has_in_hand_is_active(any_house: House) -> None:
    await any_house.publish(order_created("1", id="runs"))
    await any_house.publish(order_created("2", id="waits"))
    _let_run(any_house, "runs")

    active, waiting = [await any_house.items("/v1/events", status=status) for status in ("active", "waiting")]

    assert (_ids(active), _ids(waiting)) == (["runs"], ["waits"])
    assert active[0]["status"] == "active"
    assert (await any_house.event("runs"))["status"] == "active"


async def test_without_redis_nothing_is_active_and_lists_are_answered(house: House) -> None:
    await house.publish(order_created())

    assert await house.items("/v1/events", status="active") == []
    assert len(await house.items("/v1/events", status="waiting")) == 1


async def test_a_timeline_is_one_story_in_order(any_house: House) -> None:
    for n in range(3):
        await any_house.publish(order_created("1", id=f"e-{n}"))
    await any_house.publish(order_created("2"))

    answer = await any_house.client.get("/v1/timeline/1", params={"limit": 2})
    rest = await any_house.client.get(answer.links["next"]["url"])

    assert answer.json()["correlation_id"] == "1"
    assert _ids(answer.json()["items"]) + _ids(rest.json()["items"]) == ["e-0", "e-1", "e-2"]


async def test_a_story_that_nobody_told_is_empty(house: House) -> None:
    assert await house.items("/v1/timeline/nothing") == []


async def test_every_contract_can_be_read(house: House) -> None:
    items = await house.items("/v1/event-types")
    schemas = [(await house.client.get(f"/v1/event-types/{item['type']}")).json() for item in items]

    assert {item["type"] for item in items} == set(EVENT_TYPES)
    assert [item["schema"] for item in items] == schemas
    assert all(schema["additionalProperties"] is False for schema in schemas)


async def test_a_list_knows_times(any_house: House) -> None:
    now = datetime.now(UTC)
    await any_house.publish(order_created(id="e-1"))

    around = {
        "from": (now - timedelta(seconds=5)).isoformat(),
        "to": (now + timedelta(seconds=5)).isoformat(),
    }
    before = {"to": (now - timedelta(seconds=5)).isoformat()}

    assert _ids(await any_house.items("/v1/events", **around)) == ["e-1"]
    assert await any_house.items("/v1/events", **before) == []
