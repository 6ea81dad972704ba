import asyncio
from typing import Any

import httpx

from integration.gateway.house import House, order_created


async def _publish_batch(house: House, events: Any, **headers: str) -> httpx.Response:
    return await house.client.post("/v1/events/batch", json=events, headers=headers)


async def test_each_event_of_a_batch_gets_a_result_in_its_place(any_house: House) -> None:
    await any_house.publish(order_created("1", id="taken"))
    events: list[Any] = [
        order_created("2", id="e-2"),
        {"type": "ORDER_CREATED", "data": {}},
        order_created("3", id="taken"),
        order_created("2", id="e-2"),
        7,
        order_created("4", id="e-4"),
    ]

    answer = await _publish_batch(any_house, events)

    items = answer.json()["items"]
    assert answer.status_code == 202
    assert [item.get("id") for item in items] == ["e-2", None, None, "e-2", None, "e-4"]
    assert [item.get("duplicate") for item in items] == [False, None, None, True, None, False]
    assert [items[n]["problem"]["status"] for n in (1, 2, 4)] == [422, 409, 422]
    kept = await any_house.items("/v1/events")
    assert {event["id"] for event in kept} == {"taken", "e-2", "e-4"}


async def test_a_thousand_events_are_a_batch_and_one_more_is_none(house: House) -> None:
    thousand = [order_created(str(n)) for n in range(1_000)]

    answers = [await _publish_batch(house, events) for events in (thousand, [*thousand, order_created()], [])]

    assert [answer.status_code for answer in answers] == [202, 422, 422]
    assert len({item["id"] for item in answers[0].json()["items"]}) == 1_000


async def test_what_is_no_array_is_422(house: House) -> None:
    answers = [await _publish_batch(house, body) for body in (order_created(), 7, "x")]

    assert [answer.status_code for answer in answers] == [422, 422, 422]


async def test_one_event_that_is_no_strict_json_does_not_fail_its_neighbours(house: House) -> None:
    good = b'{"type":"LOW_STOCK_ALERT","data":{"sku":"MUG","available":1,"threshold":5}}'
    bad = [b'{"type":NaN}', b'{"a":1,"a":2}', b'{"a":"\\ud800"}', b"[" * 40 + b"]" * 40, b"1e999", b"9" * 30]

    answer = await house.client.post(
        "/v1/events/batch",
        content=b"[" + b",".join([good, *bad, good]) + b"]",
        headers={"Content-Type": "application/json", "Idempotency-Key": "k"},
    )

    items = answer.json()["items"]
    assert [("id" in item) for item in items] == [True, *[False] * 6, True]
    assert {item["problem"]["status"] for item in items[1:-1]} == {422}


async def test_the_limits_of_a_body_hold_for_each_event_and_for_the_whole(house: House) -> None:
    large = {"type": "SEND_EMAIL", "data": {"to": "a@example.com", "subject": "x", "text": "x" * 270_000}}

    one_large = await _publish_batch(house, [order_created(), large])
    all_large = await house.client.post(
        "/v1/events/batch",
        content=b"[" + b" " * 8 * 1024 * 1024 + b"]",
        headers={"Content-Type": "application/json"},
    )

    assert one_large.json()["items"][1]["problem"]["status"] == 413
    assert "id" in one_large.json()["items"][0]
    assert all_large.status_code == 413


async def test_a_batch_under_one_key_is_published_once(any_house: House) -> None:
    events: list[Any] = [order_created("1"), {"type": "nothing", "data": {}}]

    answers = await asyncio.gather(
        *(_publish_batch(any_house, events, **{"Idempotency-Key": "k"}) for _ in range(10))
    )
    other = await _publish_batch(any_house, [order_created("2")], **{"Idempotency-Key": "k"})

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert other.status_code == 422
    assert len(await any_house.items("/v1/events")) == 1


async def test_an_internal_event_in_a_batch_is_403_for_itself_alone(house: House) -> None:
    client = await house.admit("key-of-a-plain-client", "events:write")
    alert = {"type": "LOW_STOCK_ALERT", "data": {"sku": "MUG", "available": 1, "threshold": 5}}

    answer = await _publish_batch(house, [alert, order_created()], **client)

    items = answer.json()["items"]
    assert items[0]["problem"]["status"] == 403
    assert "id" in items[1]
