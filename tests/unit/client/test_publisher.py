import asyncio
from datetime import timedelta

import httpx
import pytest

from shared.client import (
    EventPublisher,
    GatewayUnavailableError,
    Published,
    PublishRefusedError,
    RetryPolicy,
)
from shared.events import OrderCancelled, Priority
from unit.client.fake_gateway import Answer, FakeGateway, answer

EVENT = OrderCancelled(order_id="1042", reason="out_of_stock")
UNSETTLED: dict[str, int | Answer | Exception] = {
    "too many requests": 429,
    "bad gateway": 502,
    "unavailable": 503,
    "gateway time-out": 504,
    "refused": httpx.ConnectError("refused"),
    "connect time-out": httpx.ConnectTimeout("connect"),
    "read time-out": httpx.ReadTimeout("read"),
    "broken pipe": httpx.WriteError("broken pipe"),
    "no connection free": httpx.PoolTimeout("pool"),
    "cut off": httpx.RemoteProtocolError("server disconnected"),
    "proxy": httpx.ProxyError("proxy"),
    "a page": answer(202, content=b"<html>"),
    "an empty answer": answer(202, content=b""),
    "half an answer": answer(200, json={"id": "only"}),
    "broken compression": answer(202, {"Content-Encoding": "gzip"}, content=b"no gzip"),
}


async def test_an_event_is_posted_with_the_key(publisher: EventPublisher, gateway: FakeGateway) -> None:
    published = await publisher.publish(EVENT, priority=Priority.LOW, delay=timedelta(seconds=2))

    request = gateway.requests[0]
    assert (request.method, str(request.url)) == ("POST", "http://gateway.test/shop/v1/events")
    assert request.headers["Authorization"] == "Bearer key-1"
    assert request.headers["Content-Type"] == "application/json"
    assert gateway.bodies == [
        {
            "type": "ORDER_CANCELLED",
            "data": {"order_id": "1042", "reason": "out_of_stock"},
            "id": published.id,
            "priority": "low",
            "delay_ms": 2000,
        }
    ]
    assert published == Published(
        id=published.id, type="ORDER_CANCELLED", queue="orders", status="waiting", duplicate=False
    )


async def test_every_event_gets_an_id_of_its_own(publisher: EventPublisher, gateway: FakeGateway) -> None:
    await publisher.publish(EVENT)
    await publisher.publish(EVENT)

    first, second = (body["id"] for body in gateway.bodies)
    assert first < second
    assert first[14] == "7"


async def test_the_shop_may_give_the_id(publisher: EventPublisher) -> None:
    assert (await publisher.publish(EVENT, id="cancel-1042")).id == "cancel-1042"
    assert (await publisher.publish(EVENT, id="cancel-1042")).duplicate


async def test_a_lost_answer_does_not_publish_twice(publisher: EventPublisher, gateway: FakeGateway) -> None:
    gateway.script = [gateway.take_and_lose_the_answer]

    published = await publisher.publish(EVENT)

    assert published.duplicate
    assert list(gateway.taken) == [published.id]
    assert gateway.requests[0].content == gateway.requests[1].content


@pytest.mark.parametrize("step", UNSETTLED.values(), ids=UNSETTLED)
async def test_what_settles_nothing_is_tried_again(
    step: int | Answer | Exception, publisher: EventPublisher, gateway: FakeGateway, pauses: list[float]
) -> None:
    gateway.script = [step, step]

    published = await publisher.publish(EVENT)

    assert [body["id"] for body in gateway.bodies] == [published.id] * 3
    assert pauses == [1, 2]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 422, 301, 302, 307, 308])
async def test_a_refusal_is_final(
    status: int, publisher: EventPublisher, gateway: FakeGateway, pauses: list[float]
) -> None:
    gateway.script = [answer(status, {"Retry-After": "1", "Location": "http://other.test/v1/events"})]

    with pytest.raises(PublishRefusedError) as caught:
        await publisher.publish(EVENT, id="id-1")

    assert (caught.value.status, caught.value.id) == (status, "id-1")
    assert len(gateway.requests) == 1
    assert pauses == []


@pytest.mark.parametrize("status", [500, 501, 505])
async def test_a_fault_of_the_gateway_is_not_tried_again(
    status: int, publisher: EventPublisher, gateway: FakeGateway
) -> None:
    gateway.script = [status]

    with pytest.raises(GatewayUnavailableError) as caught:
        await publisher.publish(EVENT)

    assert caught.value.status == status
    assert len(gateway.requests) == 1


async def test_a_refusal_says_what_is_wrong(publisher: EventPublisher, gateway: FakeGateway) -> None:
    problem = {
        "type": "/problems/invalid",
        "title": "Invalid event",
        "status": 422,
        "detail": "The data is against its contract.",
        "errors": [{"at": "/data/reason", "message": "too long"}],
    }
    gateway.script = [answer(422, {"Content-Type": "application/problem+json"}, json=problem)]

    with pytest.raises(PublishRefusedError, match="422 Invalid event: The data") as caught:
        await publisher.publish(EVENT)

    error = caught.value
    assert (error.type, error.title, error.detail) == (problem["type"], problem["title"], problem["detail"])
    assert error.errors == ({"at": "/data/reason", "message": "too long"},)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"null", b'{"title": 1}', b"\xff", b"[" * 10_000])
async def test_a_refusal_without_a_problem_is_one_too(
    content: bytes, publisher: EventPublisher, gateway: FakeGateway
) -> None:
    gateway.script = [answer(403, content=content)]

    with pytest.raises(PublishRefusedError, match="403 Forbidden") as caught:
        await publisher.publish(EVENT)

    assert (caught.value.type, caught.value.errors) == ("about:blank", ())


async def test_what_the_gateway_asks_for_is_waited_for(
    publisher: EventPublisher, gateway: FakeGateway, pauses: list[float]
) -> None:
    gateway.script = [answer(429, {"Retry-After": "7"}), answer(503, {"Retry-After": "nonsense"})]

    await publisher.publish(EVENT)

    assert pauses == [8, 2]


async def test_a_pause_beyond_the_deadline_is_not_begun(
    publisher: EventPublisher, gateway: FakeGateway, pauses: list[float]
) -> None:
    gateway.script = [answer(503, {"Retry-After": "3600"})]

    with pytest.raises(GatewayUnavailableError, match="not settled after 1 tries: answer 503") as caught:
        await publisher.publish(EVENT, id="id-1")

    assert (caught.value.status, caught.value.id) == (503, "id-1")
    assert pauses == []


async def test_all_tries_together_end_by_the_deadline(gateway: FakeGateway) -> None:
    policy = RetryPolicy(first=timedelta(milliseconds=20), deadline=timedelta(milliseconds=300))
    gateway.script = [httpx.ConnectError("refused")] * 1000
    clock = asyncio.get_running_loop().time
    start = clock()

    async with EventPublisher(
        "http://gateway.test", "key-1", retry=policy, transport=httpx.MockTransport(gateway)
    ) as publisher:
        with pytest.raises(GatewayUnavailableError, match="ConnectError") as caught:
            await publisher.publish(EVENT)

    assert clock() - start < 2
    assert len(gateway.requests) > 1
    assert caught.value.status is None


async def test_an_answer_that_drips_for_ever_ends_by_the_deadline() -> None:
    async def drip(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return httpx.Response(202)

    policy = RetryPolicy(deadline=timedelta(milliseconds=100))
    async with EventPublisher(
        "http://gateway.test", "key-1", retry=policy, transport=httpx.MockTransport(drip)
    ) as publisher:
        with pytest.raises(GatewayUnavailableError, match="TimeoutError"):
            await publisher.publish(EVENT)


@pytest.mark.parametrize("address", ["", "gateway.test", "localhost:8000", "ftp://gateway.test", "redis://x"])
def test_an_address_that_is_no_http_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="begins with http"):
        EventPublisher(address, "key-1")


async def test_nothing_is_published_after_closing(publisher: EventPublisher) -> None:
    await publisher.close()

    with pytest.raises(RuntimeError, match="closed"):
        await publisher.publish(EVENT)


async def test_the_key_is_not_printed(publisher: EventPublisher) -> None:
    assert "key-1" not in repr(publisher)
