"""Redis is wiped, restarted, promoted, away: the consumer waits for a gateway, and goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from shared.events import OrderShipped
from shared.queue import Queue, RedisSender, RetryPolicy
from shared.queue.connection import connect
from shared.queue.keys import GROUP
from support import RedisServer, StartRedis, eventually
from support.queueing import HIGH, LOW, NORMAL, ORDERS, Station, order, station_at


class Handled:
    def __init__(self) -> None:
        self.orders: list[str] = []
        self.queue = Queue("orders")
        self.queue.on(OrderShipped)(self.handle)

    async def handle(self, event: OrderShipped) -> None:
        self.orders.append(event.order_id)


@pytest.fixture
async def visitor(redis_url: str) -> AsyncIterator[RedisSender]:
    """A sender that may open nothing: a worker's."""
    client: Redis = connect(redis_url)
    yield RedisSender(client, opens=False)
    await client.aclose()


async def test_a_destroyed_group_is_made_again_from_the_beginning(station: Station) -> None:
    handled = Handled()
    await station.send(order("before"))
    serving = await station.serve(handled.queue)
    await eventually(station.is_drained)

    await station.client.xgroup_destroy(NORMAL, GROUP)
    await station.send(order("after"))

    await eventually(lambda: handled.orders == ["before", "after"])
    assert serving.consumer.alive


@pytest.mark.parametrize("lane", [HIGH, NORMAL, LOW])
async def test_a_deleted_stream_is_made_again(station: Station, lane: str) -> None:
    handled = Handled()
    await station.send(order("before"))
    await station.serve(handled.queue)
    await eventually(station.is_drained)

    await station.client.delete(lane)
    await station.send(order("after"))

    await eventually(lambda: handled.orders == ["before", "after"])
    await eventually(lambda: station.client.exists(lane))


async def test_a_wiped_queue_is_closed_until_a_gateway_opens_it(
    station: Station, visitor: RedisSender, redis_server: RedisServer
) -> None:
    handled = Handled()
    await station.send(order("before"))
    serving = await station.serve(handled.queue)
    await eventually(station.is_drained)

    redis_server.flushall()
    await eventually(lambda: serving.consumer.state == "closed")
    assert await visitor.send("orders", [order("refused")]) is None
    assert await visitor.epoch("orders") is None
    assert await station.length() == 0
    await station.send(order("after"))

    await eventually(lambda: serving.consumer.state == "open")
    await eventually(lambda: handled.orders == ["before", "after"])
    assert serving.consumer.alive


async def test_a_closed_queue_is_fetched_from_by_nobody(station: Station, redis_server: RedisServer) -> None:
    handled = Handled()
    await station.send(order("o"))
    await station.client.hdel(ORDERS.control, "epoch")

    serving = await station.serve(handled.queue)
    await eventually(lambda: serving.consumer.state == "closed")
    await asyncio.sleep(0.5)

    assert handled.orders == []


async def test_waiting_for_a_closed_queue_costs_little(station: Station) -> None:
    serving = await station.serve(Handled().queue)
    await eventually(lambda: serving.consumer.state == "closed")

    before = await station.commands()
    await asyncio.sleep(1)

    assert await station.commands() - before < 40


async def test_another_opening_is_another_epoch(station: Station, redis_server: RedisServer) -> None:
    first = await station.send(order("a"))
    assert await station.send(order("b")) == first

    redis_server.flushall()

    assert await station.send(order("a")) != first


@pytest.mark.parametrize("aof", [False, True])
async def test_a_server_that_crashed_and_came_back_is_closed(start_redis: StartRedis, *, aof: bool) -> None:
    handled, server = Handled(), start_redis(aof=aof)
    async with station_at(server.url) as station:
        first = await station.send(order("before"))
        serving = await station.serve(handled.queue)
        await eventually(station.is_drained)

        server.kill9()
        server.start()
        await eventually(lambda: serving.consumer.state == "closed", within=10)
        assert await station.send(order("after")) != first

        await eventually(lambda: handled.orders == ["before", "after"], within=10)
        assert serving.consumer.alive
        assert serving.consumer.redis_trouble is None


async def test_what_the_log_kept_is_handled_after_the_queue_is_open_again(start_redis: StartRedis) -> None:
    handled, server = Handled(), start_redis(aof=True)
    async with station_at(server.url) as station:
        await station.send(order("kept"))
        server.restart()
        await station.serve(handled.queue)
        await asyncio.sleep(0.5)
        assert handled.orders == []

        await station.send(order("after"))

        await eventually(lambda: handled.orders == ["kept", "after"])


async def test_a_consumer_may_start_before_its_server(start_redis: StartRedis) -> None:
    handled, server = Handled(), start_redis()
    server.stop()
    async with station_at(server.url) as station:
        serving = await station.serve(handled.queue)
        await eventually(lambda: serving.consumer.redis_trouble)

        server.start()
        await station.send(order("o"))

        await eventually(lambda: handled.orders == ["o"], within=10)


async def test_an_absent_server_is_asked_now_and_then(start_redis: StartRedis) -> None:
    server = start_redis()
    async with station_at(server.url) as station:
        await station.send(order("o"))
        serving = await station.serve(Handled().queue)
        await eventually(station.is_drained)
        server.stop()
        connections = 0

        async def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            writer.close()

        trap = await asyncio.start_server(count, "127.0.0.1", server.port)
        await asyncio.sleep(2)
        trap.close()

        assert 1 <= connections < 40
        assert serving.consumer.alive
        server.start()
        await eventually(lambda: serving.consumer.state == "closed", within=10)


async def test_a_frozen_server_ends_no_consumer(station: Station, redis_server: RedisServer) -> None:
    handled = Handled()
    await station.send(order("before"))
    serving = await station.serve(handled.queue)
    await eventually(station.is_drained)

    redis_server.freeze()
    await asyncio.sleep(6)
    redis_server.thaw()
    await station.send(order("after"))

    await eventually(lambda: handled.orders == ["before", "after"], within=10)
    assert serving.consumer.alive


async def test_a_replica_is_read_from_once_it_is_promoted(start_redis: StartRedis) -> None:
    handled, master, replica = Handled(), start_redis(), start_redis()
    async with station_at(master.url) as there, station_at(replica.url) as here:
        with closing(replica.client()) as admin:
            await there.client.config_set("repl-diskless-sync-delay", 0)
            admin.replicaof("127.0.0.1", str(master.port))
            first = await there.send(order("before"))
            await eventually(lambda: here.client.exists(NORMAL), within=10)

            serving = await here.serve(handled.queue)
            await eventually(lambda: serving.consumer.redis_trouble)
            assert "read only" in str(serving.consumer.redis_trouble).replace("-", " ").lower()
            before = await here.commands()
            await asyncio.sleep(1)
            assert await here.commands() - before < 300
            admin.replicaof("no", "one")

        await eventually(lambda: serving.consumer.state == "closed", within=10)
        assert handled.orders == []
        assert await here.send(order("after")) != first
        await eventually(lambda: handled.orders == ["before", "after"])


async def test_forgotten_scripts_are_loaded_again(station: Station) -> None:
    handled = Handled()
    await station.send(order("before"))
    await station.serve(handled.queue)
    await eventually(station.is_drained)

    await station.client.script_flush()
    await station.send(order("after"))

    await eventually(lambda: handled.orders == ["before", "after"])


async def test_a_wipe_between_a_failure_and_its_retry_stops_nothing(
    station: Station, redis_server: RedisServer
) -> None:
    wiped, seen = asyncio.Event(), list[str]()
    queue = Queue("orders")

    @queue.on(OrderShipped)
    async def fail_after_the_wipe(event: OrderShipped) -> None:
        seen.append(event.order_id)
        if event.order_id == "before":
            await wiped.wait()
            raise ValueError("late")

    await station.send(order("before"))
    serving = await station.serve(queue)
    await eventually(lambda: seen == ["before"])
    redis_server.flushall()
    wiped.set()
    await eventually(lambda: serving.consumer.state == "closed")

    await station.send(order("after"))

    await eventually(lambda: "after" in seen)
    await eventually(station.is_drained)
    await eventually(lambda: serving.consumer.in_hand == 0)


async def test_a_full_server_loses_nothing_and_stops_nothing(station: Station) -> None:
    tries: dict[str, int] = {}
    queue = Queue("orders")

    @queue.on(OrderShipped)
    async def fail_twice(event: OrderShipped) -> None:
        tries[event.order_id] = tries.get(event.order_id, 0) + 1
        if event.order_id.startswith("flaky") and tries[event.order_id] < 3:
            raise ValueError("not yet")

    await station.send(*(order(f"flaky-{number}") for number in range(5)))
    await station.send(*(order(f"o{number}") for number in range(100)))
    await station.client.config_set("maxmemory-policy", "noeviction")
    await station.client.config_set("maxmemory", 1)

    serving = await station.serve(queue)

    await eventually(station.is_drained)
    assert len(tries) == 105
    assert all(count == 3 for name, count in tries.items() if name.startswith("flaky"))
    assert all(count == 1 for name, count in tries.items() if not name.startswith("flaky"))
    assert serving.consumer.redis_trouble is None


async def test_a_full_server_that_was_restarted_is_opened_and_worked_off(
    station: Station,
) -> None:
    queue, seen = Queue("orders"), set[str]()

    @queue.on(OrderShipped)
    async def work(event: OrderShipped) -> None:
        seen.add(event.order_id)

    await station.send(*(order(f"o{number}") for number in range(100)))
    await station.client.hset(ORDERS.control, "life", "the one before the restart")
    await station.client.config_set("maxmemory-policy", "noeviction")
    await station.client.config_set("maxmemory", 1)
    serving = await station.serve(queue)
    await eventually(lambda: serving.consumer.state == "closed")

    assert await station.sender.epoch("orders") is not None

    await eventually(station.is_drained)
    assert len(seen) == 100


async def test_a_settlement_that_is_refused_stops_no_neighbour(station: Station) -> None:
    queue, seen = Queue("orders"), set[str]()

    @queue.on(OrderShipped)
    async def work(event: OrderShipped) -> None:
        if event.order_id == "bug":
            raise ValueError("a bug")
        seen.add(event.order_id)

    await station.client.set(ORDERS.retry_bodies, "no hash")
    await station.send(order("bug"), *(order(f"o{number}") for number in range(20)))
    long = timedelta(minutes=10)  # neither a lapsed lease nor a second try helps
    await station.serve(queue, lease=long, policy=RetryPolicy(base=long, cap=long))

    await eventually(lambda: len(seen) == 20)
    await station.client.delete(ORDERS.retry_bodies)
    await eventually(lambda: station.client.exists(ORDERS.retry_bodies), within=8)
    assert await station.length() == 0
