"""From BullMQ to the gateway: nothing is lost, nothing is published twice, whatever stops the way."""

from datetime import UTC, datetime, timedelta
from typing import cast

import httpx
import pytest

from integration.bullmq.house import Shop, everything
from local_start.bullmq.mapping import JobMapping, JobMappings, Lanes, QueueMapping
from shared.client import GatewayUnavailableError
from support import RedisServer

MAPPED = {f"order/o-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 10)}


class StoppedError(Exception):
    """The process ends here."""


class StopsAfter(httpx.AsyncBaseTransport):
    """The gateway takes what it is sent; from an answer on, nobody lives to hear it."""

    def __init__(self, shop: Shop, answers: int) -> None:
        self._gateway = httpx.ASGITransport(shop.house.gateway.app)
        self._answers = answers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._gateway.handle_async_request(request)
        if self._answers == 0:
            raise StoppedError
        self._answers -= 1
        return answer


async def test_a_look_changes_nothing(bullmq_redis: RedisServer, shop: Shop) -> None:
    with bullmq_redis.client() as redis:
        before = everything(redis)

        report = await shop.look()

        assert everything(redis) == before
    assert await shop.events() == {}
    assert report.mapped == {"ORDER_SHIPPED": 7, "ORDER_CANCELLED": 1}
    assert [(left.name, left.sample) for left in report.left.values()] == [
        ("ORDER_SHIPPED", "8"),
        ("order.closed", "9"),
        ("ORDER_SHIPPED", next(left.sample for left in report.left.values() if "repeat" in left.sample)),
    ]


async def test_what_maps_moves_and_everything_else_stays(bullmq_redis: RedisServer, shop: Shop) -> None:
    report = await shop.drain()

    assert set(await shop.events()) == MAPPED
    assert (report.published, report.removed, report.known) == (8, 8, 0)
    with bullmq_redis.client() as redis:
        stay = cast("list[bytes]", redis.lrange("bull:orders:wait", 0, -1))
        assert [each for each in stay if not each.startswith(b"repeat:")] == [b"9", b"8"]
        assert not redis.exists("bull:orders:delayed", "bull:orders:prioritized", "bull:orders:1")
        assert redis.exists("bull:orders:8", "bull:orders:9", "bull:orders:repeat") == 3


async def test_a_delay_and_an_order_of_lanes_are_kept(shop: Shop) -> None:
    await shop.drain()

    events = await shop.events()
    one = await shop.house.event(events["order/o-6"]["id"])
    due = datetime.fromisoformat(one["not_before"])
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert tomorrow - timedelta(minutes=10) < due <= tomorrow + timedelta(seconds=1)
    assert one["status"] == "delayed"
    lanes = {subject: (await shop.house.event(event["id"]))["priority"] for subject, event in events.items()}
    assert {subject for subject, lane in lanes.items() if lane == "low"} == {
        "order/o-4",
        "order/o-5",
        "order/o-7",
    }
    assert set(lanes.values()) == {"low", "normal"}


async def test_a_paused_queue_is_drained(shop: Shop) -> None:
    report = await shop.drain("payments")

    assert (report.published, report.removed, report.left) == (2, 2, {})


async def test_active_and_failed_jobs_are_left(bullmq_redis: RedisServer, shop: Shop) -> None:
    report = await shop.drain("notifications")

    assert report.removed == 1
    with bullmq_redis.client() as redis:
        assert redis.lrange("bull:notifications:active", 0, -1) == [b"1"]
        assert redis.zrange("bull:notifications:failed", 0, -1) == [b"2"]
        assert redis.exists("bull:notifications:1", "bull:notifications:2") == 2


@pytest.mark.parametrize(
    ("field", "value", "moved"),
    [
        ("timestamp", "1795533536375.5", 8),
        ("timestamp", "soon", 7),
        ("priority", "NaN", 7),
        ("name", b"\xff", 7),
    ],
)
async def test_a_record_that_bullmq_would_not_write_is_in_no_other_jobs_way(
    bullmq_redis: RedisServer, shop: Shop, field: str, value: str | bytes, moved: int
) -> None:
    with bullmq_redis.client() as redis:
        redis.hset("bull:orders:1", field, value)

    report = await shop.drain()

    assert (report.published, report.removed) == (moved, moved)
    told = [left.sample for left in report.left.values() if left.sample == "1"]
    assert told == (["1"] if moved == 7 else [])


async def test_a_child_of_a_flow_is_left(bullmq_redis: RedisServer, shop: Shop) -> None:
    report = await shop.drain("inventory")

    assert (report.published, len(report.left)) == (0, 1)
    with bullmq_redis.client() as redis:
        assert redis.llen("bull:inventory:wait") == 1


async def test_publishing_twice_is_publishing_once(bullmq_redis: RedisServer, shop: Shop) -> None:
    with bullmq_redis.client() as redis:
        before = everything(redis)
        await shop.drain(remove=False)

        again = await shop.drain(remove=False)

        assert everything(redis) == before
    assert (again.published, again.known, again.removed) == (0, 8, 0)
    assert set(await shop.events()) == MAPPED


@pytest.mark.parametrize("answers", range(8))
async def test_stopped_after_any_answer_the_next_call_finishes(shop: Shop, answers: int) -> None:
    with pytest.raises(StoppedError):
        await shop.drain(transport=StopsAfter(shop, answers))

    report = await shop.drain()

    assert set(await shop.events()) == MAPPED
    assert report.published == 0
    assert report.removed == 8 - answers


async def test_while_the_gateway_is_away_nothing_is_removed(bullmq_redis: RedisServer, shop: Shop) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody listens", request=request)

    with bullmq_redis.client() as redis:
        before = everything(redis)

        with pytest.raises(GatewayUnavailableError):
            await shop.drain(transport=httpx.MockTransport(refuse), patience=timedelta(milliseconds=50))

        assert everything(redis) == before


async def test_what_the_gateway_refuses_stays(bullmq_redis: RedisServer, shop: Shop) -> None:
    with bullmq_redis.client() as redis:
        redis.zadd("bull:orders:delayed", {"6": 1 << 52})  # in the year 6429

    report = await shop.drain()

    assert (report.published, report.removed) == (7, 7)
    assert any(left.reason.startswith("refused: 422") and left.sample == "6" for left in report.left.values())


async def test_published_before_with_another_delay_is_told_and_stays(
    bullmq_redis: RedisServer, shop: Shop
) -> None:
    await shop.drain(remove=False)
    with bullmq_redis.client() as redis:  # what a worker does to a job whose time has come
        redis.zrem("bull:orders:delayed", "6")
        redis.lpush("bull:orders:wait", "6")

    report = await shop.drain()

    assert (report.known, report.removed) == (7, 7)
    assert any("published before" in left.reason and left.sample == "6" for left in report.left.values())
    assert set(await shop.events()) == MAPPED


async def test_a_mapping_renames_and_completes(shop: Shop) -> None:
    closed = JobMapping.model_validate(
        {"type": "ORDER_CANCELLED", "fields": {"order_id": "order_id"}, "set": {"reason": "closed"}}
    )
    mappings = JobMappings(
        queues={"orders": QueueMapping(jobs={"order.closed": closed})}, priority=Lanes(high=1, normal=10)
    )

    await shop.drain(mappings=mappings)

    events = await shop.events()
    assert events["order/o-9"]["type"] == "ORDER_CANCELLED"
    full = await shop.house.event(events["order/o-9"]["id"])
    assert full["data"] == {"order_id": "o-9", "reason": "closed"}
