"""A client finds its server, and leaves it at the first word, or sign, that it is another one now."""

from collections.abc import Generator

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.events import QUEUES, OrderShipped
from shared.queue import Queue, RedisSender
from shared.queue import connection as connections
from shared.queue.address import RedisAddress
from shared.queue.connection import client_of, connect
from shared.queue.inspection import Inspector
from support.queueing import order, station_at
from support.redis_server import RedisServer, StartRedis
from support.redis_sets import ClusterSet, Node, SentinelSet
from support.waiting import eventually

WITHIN_SECONDS = 30


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[ClusterSet]:
    with ClusterSet(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def sentinels(tmp_path_factory: pytest.TempPathFactory) -> Generator[SentinelSet]:
    with SentinelSet(tmp_path_factory.mktemp("sentinels")) as sentinels:
        yield sentinels


@pytest.fixture(params=["sentinels", "cluster"])
def url(request: pytest.FixtureRequest) -> str:
    plane: SentinelSet | ClusterSet = request.getfixturevalue(request.param)
    return plane.url


class TwoServers:
    """A finder whose answer a test changes."""

    def __init__(self, first: RedisServer) -> None:
        self.now = first

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        return "127.0.0.1", self.now.port

    async def aclose(self) -> None:
        """Nothing is kept."""


async def test_every_queue_can_be_sent_to_and_looked_at(url: str) -> None:
    client = connect(url)
    sender, inspector = RedisSender(client, opens=True), Inspector(client)
    try:
        assert await client.ping()
        for queue in QUEUES:
            epoch = await sender.send(queue, [order("1"), order("2")])

            assert await sender.epoch(queue) == epoch
            depth = await inspector.depth(queue)
            assert sum(lane.waiting for lane in depth.lanes) == 2
            assert await inspector.active(queue) == set()
    finally:
        await client.aclose()


async def test_a_consumer_that_listens_is_woken_by_the_next_event(url: str) -> None:
    queue = Queue("orders")

    @queue.on(OrderShipped)
    async def handle(event: OrderShipped) -> None: ...

    async with station_at(url) as station:
        await station.send(order("before"))
        serving = await station.serve(queue)
        await eventually(lambda: serving.journal.outcomes("before") == ["completed"], within=WITHIN_SECONDS)
        for number in range(20):
            await station.send(order(f"order-{number}"))
            await eventually(
                lambda number=number: serving.journal.outcomes(f"order-{number}") == ["completed"],
                within=WITHIN_SECONDS,
            )

        assert serving.consumer.redis_trouble is None


async def test_a_closed_client_leaves_no_connection(cluster: ClusterSet, sentinels: SentinelSet) -> None:
    for url, servers in ((cluster.url, cluster.nodes), (sentinels.url, sentinels.servers)):
        client = connect(url)
        sender = RedisSender(client, opens=True)
        for queue in QUEUES:
            await sender.epoch(queue)
        assert any(_connections(server) for server in servers)

        await client.aclose()

        await eventually(lambda servers=servers: not any(_connections(server) for server in servers))


def _connections(server: Node) -> int:
    listed: bytes = server.ask("CLIENT", "LIST")
    return str(listed).count("shop-queue")


async def test_a_queue_that_moved_is_found_again(cluster: ClusterSet) -> None:
    client = connect(cluster.url)
    sender = RedisSender(client, opens=True)
    try:
        before = await sender.send("payments", [order("1")])
        old = cluster.owner("payments")

        cluster.move("payments")

        assert cluster.owner("payments") is not old
        with pytest.raises(RedisError, match="not the server to ask"):
            await sender.epoch("payments")
        assert await sender.epoch("payments") != before  # another server, another life: all is sent again
    finally:
        await client.aclose()


async def test_a_demoted_server_is_left_at_its_first_refusal(start_redis: StartRedis) -> None:
    """Whatever stands before the servers may lead the next connection elsewhere: a name, a proxy."""
    other, server = start_redis(), start_redis()
    client = connect(server.url)
    try:
        sender = RedisSender(client, opens=True)
        await sender.send("orders", [order("1")])
        connection = await client.client_id()
        with server.client() as operator:
            operator.replicaof("127.0.0.1", other.port)

        with pytest.raises(RedisError, match="not the server to ask"):
            await sender.send("orders", [order("2")])

        assert await client.client_id() != connection
    finally:
        await client.aclose()


async def test_a_replaced_server_that_lives_and_says_nothing_is_left_too(
    start_redis: StartRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LOOK_SECONDS", 0.05)
    first, second = start_redis(), start_redis()
    finder = TwoServers(first)
    client = connections._found(RedisAddress.parse(first.url), finder, "any")  # pyright: ignore[reportPrivateUsage] the seam
    try:
        assert await _port(client) == first.port

        finder.now = second

        async def has_moved() -> bool:
            return await _port(client) == second.port

        await eventually(has_moved, within=WITHIN_SECONDS)
    finally:
        await client.aclose()


async def test_one_sentinel_that_hangs_keeps_nobody_out(sentinels: SentinelSet) -> None:
    sentinels.sentinels[0].freeze()
    client = connect(sentinels.url)
    try:
        assert await client.ping()
    finally:
        await client.aclose()
        sentinels.sentinels[0].thaw()


async def test_one_node_that_hangs_keeps_nobody_from_the_others(cluster: ClusterSet) -> None:
    owners = cluster.owners()
    frozen = owners["orders"]
    queue = next(queue for queue, node in owners.items() if node is not frozen)
    frozen.freeze()
    client = connect(cluster.url)
    try:
        assert await client_of(client, queue).ping()
    finally:
        await client.aclose()
        frozen.thaw()


async def test_a_primary_that_no_sentinel_knows_is_a_trouble_of_redis(sentinels: SentinelSet) -> None:
    client = connect(sentinels.url.replace("/mymaster", "/stranger"))
    with pytest.raises(RedisError, match="stranger"):
        await client.ping()
    await client.aclose()


async def test_a_server_alone_is_no_cluster(redis_server: RedisServer) -> None:
    client = connect(redis_server.url.replace("redis://", "redis+cluster://"))
    with pytest.raises(RedisError, match="no node of the cluster helps"):
        await client.ping()
    await client.aclose()


async def _port(client: Redis) -> int:
    return int((await client.info("server"))["tcp_port"])
