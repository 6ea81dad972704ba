"""What a scrape says of queues, and what it says while Redis is away."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.queue import PostponeError, Queue, RetryPolicy
from shared.queue.connection import connect
from shared.queue.inspection import Depth, Inspector
from shared.service.metrics.counting import Metrics
from shared.service.metrics.redis import QueueReading
from support.ports import free_port
from support.queueing import NORMAL, Station, order, shipped, station_at
from support.redis_server import RedisServer
from support.waiting import eventually

Samples = Mapping[tuple[str, str, str], float]
"""By name, queue and lane; what has no such label has an empty one."""


async def scraped(client: Redis, *queues: str, inspector: Inspector | None = None) -> Samples:
    text = await Metrics("gateway", [QueueReading(inspector or Inspector(client), queues)]).scrape()
    return {
        (sample.name, sample.labels.get("queue", ""), sample.labels.get("lane", "")): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name.startswith("queue_")
    }


@pytest.fixture
async def station(redis_url: str) -> AsyncIterator[Station]:
    async with station_at(redis_url) as station:
        yield station


async def test_a_queue_that_never_was_is_closed_and_empty(station: Station) -> None:
    samples = await scraped(station.client, "orders")

    assert samples["queue_open", "orders", ""] == 0
    assert samples["queue_consumers", "orders", ""] == 0
    for name in ("queue_depth", "queue_in_hand", "queue_oldest_seconds"):
        assert samples[name, "orders", "normal"] == 0


async def test_what_waits_is_the_depth_of_its_lane(station: Station) -> None:
    await station.send(order("1"), order("2"))

    samples = await scraped(station.client, "orders", "payments")

    assert samples["queue_open", "orders", ""] == 1
    assert samples["queue_depth", "orders", "normal"] == 2
    assert samples["queue_depth", "orders", "high"] == 0
    assert samples["queue_depth", "payments", "normal"] == 0


async def test_what_a_consumer_holds_is_in_hand_and_waits_no_more(station: Station) -> None:
    await station.send(order("1"), order("2"), order("3"))
    await station.client.xgroup_create(NORMAL, "workers", "0")
    await station.client.xreadgroup("workers", "somebody", {NORMAL: ">"}, count=1)

    samples = await scraped(station.client, "orders")

    assert samples["queue_in_hand", "orders", "normal"] == 1
    assert samples["queue_depth", "orders", "normal"] == 2
    assert samples["queue_consumers", "orders", ""] == 1


async def test_the_oldest_entry_ages(station: Station) -> None:
    await station.send(order("1"))
    body = (await station.bodies())[0]
    await station.client.delete(NORMAL)
    seconds, _ = await station.client.time()
    await station.client.xadd(NORMAL, {b"__data__": body}, id=f"{(int(seconds) - 100) * 1000}-0")

    samples = await scraped(station.client, "orders")

    assert samples["queue_oldest_seconds", "orders", "normal"] >= 100


async def test_what_waits_behind_an_event_that_takes_long_is_counted(station: Station) -> None:
    """Redis itself has no lag to tell here: a later entry was deleted while an earlier one is in hand."""
    await station.send(*(order(str(number)) for number in range(5)))
    await station.client.xgroup_create(NORMAL, "workers", "0")
    await station.client.xreadgroup("workers", "somebody", {NORMAL: ">"}, count=2)
    (_, second) = [held["message_id"] for held in await station.held()]
    await station.client.xack(NORMAL, "workers", second)
    await station.client.xdel(NORMAL, second)

    samples = await scraped(station.client, "orders")

    assert samples["queue_in_hand", "orders", "normal"] == 1
    assert samples["queue_depth", "orders", "normal"] == 3


async def test_events_that_are_tried_again_and_their_consumer_are_seen(station: Station) -> None:
    queue = Queue("orders")

    @queue.on(type(shipped("1")))
    async def too_early(event: object) -> None:
        raise PostponeError("out_of_order")

    _ = too_early
    await station.send(order("1"))
    await station.serve(queue, policy=RetryPolicy())

    async def retrying() -> bool:
        return (await scraped(station.client, "orders"))["queue_retrying", "orders", ""] == 1

    await eventually(retrying)

    assert (await scraped(station.client, "orders"))["queue_consumers", "orders", ""] == 1


async def test_the_servers_memory_is_told_with_its_limit(station: Station) -> None:
    await station.client.config_set("maxmemory", "64mb")

    samples = await scraped(station.client, "orders")

    assert samples["queue_redis_memory_max_bytes", "orders", ""] == 64 * 1024 * 1024
    assert samples["queue_redis_memory_bytes", "orders", ""] > 100_000


async def test_without_redis_it_says_so_and_no_number_of_a_queue() -> None:
    client = connect(f"redis://127.0.0.1:{free_port()}")

    samples = await scraped(client, "orders")

    await client.aclose()
    assert samples == {("queue_redis_up", "orders", ""): 0, ("queue_build_info", "", ""): 1}


@pytest.mark.parametrize("trouble", ["away", "hangs"])
async def test_a_queue_whose_server_is_away_hides_no_other(station: Station, trouble: str) -> None:
    class OfACluster(Inspector):
        async def depth(self, queue: str) -> Depth:
            if queue == "orders" and trouble == "away":
                raise RedisConnectionError("away")
            if queue == "orders":
                await asyncio.Event().wait()
            return await super().depth(queue)

    samples = await scraped(station.client, "orders", "payments", inspector=OfACluster(station.client))

    assert samples["queue_redis_up", "orders", ""] == 0
    assert samples["queue_redis_up", "payments", ""] == 1
    assert samples["queue_depth", "payments", "normal"] == 0
    assert ("queue_depth", "orders", "normal") not in samples


async def test_a_redis_that_is_frozen_holds_up_no_scrape(redis_server: RedisServer) -> None:
    client = connect(redis_server.url)
    await client.ping()
    redis_server.freeze()

    try:
        samples = await scraped(client, "orders")
    finally:
        redis_server.thaw()
        await client.aclose()

    assert samples["queue_redis_up", "orders", ""] == 0
