"""The queue alone: one worker process beside a raw redis-py loop over the same bytes."""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from bench.measure import RUNS, Figure, compared, paired
from shared.events import Customer, Envelope, OrderCreated, OrderLine, new_id
from shared.queue import ConsumerOptions, MemoryLedger, Queue, QueueBroker, RedisSender
from shared.queue.connection import connect
from shared.queue.keys import GROUP, QueueKeys
from support.redis_server import RedisServer

EVENT_BYTES = 541
"""The size of the order event, as in the measurements of other queues that this is compared with."""
HANDLER_SECONDS = 0.005
PLACES = 50


def order_event() -> str:
    """The JSON of an order of exactly `EVENT_BYTES`."""
    lines = tuple(OrderLine(sku=f"mug-{n}", quantity=n + 1, unit_price=1990) for n in range(5))
    total = sum(line.quantity * line.unit_price for line in lines)
    customer = Customer(id="customer-00042", email="ada.lovelace@example.com", name="A")
    order = OrderCreated(order_id="order-1", customer=customer, lines=lines, currency="EUR", total=total)
    missing = EVENT_BYTES - len(order.to_json())
    named = customer.model_copy(update={"name": "A" * (1 + missing)})
    text = order.model_copy(update={"customer": named}).to_json()
    assert len(text) == EVENT_BYTES, len(text)
    return text


def envelopes(count: int) -> list[Envelope]:
    data = order_event()
    now = datetime.now(UTC)
    ids = (new_id() for _ in range(count))
    return [
        Envelope(
            id=i,
            type="ORDER_CREATED",
            source="client/shop",
            time=now,
            correlation_id="order-1",
            data=data,
            subject="order/order-1",
        )
        for i in ids
    ]


async def fill(sender: RedisSender, count: int) -> None:
    events = envelopes(count)
    for start in range(0, count, 500):
        await sender.send("orders", events[start : start + 500])


async def fill_raw(client: Redis, count: int) -> None:
    data = order_event()
    for _ in range(0, count, 500):
        pipeline = client.pipeline(transaction=False)
        for _ in range(500):
            pipeline.xadd("raw", {"data": data})
        await pipeline.execute()


@asynccontextmanager
async def worker(
    url: str, handler: Callable[[OrderCreated], Awaitable[None]], concurrency: int
) -> AsyncGenerator[None]:
    """A FastStream worker with acknowledgement, retry and lease; what it remembers is in memory."""
    queue = Queue("orders")
    queue.on(OrderCreated)(handler)
    broker = QueueBroker(url, logger=None)
    broker.serve(queue, ledger=MemoryLedger(), options=ConsumerOptions("bench", concurrency=concurrency))
    await broker.start()
    try:
        yield
    finally:
        await broker.stop()


async def consume(url: str, count: int, concurrency: int, seconds: float) -> float:
    """Events a second of our worker."""
    client = connect(url)
    await client.flushall()
    await fill(RedisSender(client, opens=True), count)
    left, done = count, asyncio.Event()

    async def handle(event: OrderCreated) -> None:
        nonlocal left
        if seconds:
            await asyncio.sleep(seconds)
        left -= 1
        if not left:
            done.set()

    began = time.perf_counter()
    async with worker(url, handle, concurrency):
        await done.wait()
        took = time.perf_counter() - began
    await client.aclose()
    return count / took


async def consume_raw(url: str, count: int) -> float:
    """Events a second of XREADGROUP and XACK in one pipeline, COUNT 500, nothing done with them."""
    client = connect(url)
    await client.flushall()
    await fill_raw(client, count)
    await client.xgroup_create("raw", GROUP, id="0")
    done, ids = 0, []
    began = time.perf_counter()
    while done < count:
        pipeline = client.pipeline(transaction=False)
        if ids:
            pipeline.xack("raw", GROUP, *ids)
        pipeline.xreadgroup(GROUP, "me", {"raw": ">"}, count=500)
        reply = (await pipeline.execute())[-1]
        ids = [entry_id for _, entries in reply for entry_id, _ in entries]
        done += len(ids)
    took = time.perf_counter() - began
    await client.aclose()
    return count / took


async def latency(url: str, rate: int, seconds: float) -> list[float]:
    """Milliseconds from before the publish, in a process of its own as everywhere, to the handler's start."""
    client = connect(url)
    await client.flushall()
    await RedisSender(client, opens=True).epoch("orders")
    took: list[float] = []

    async def handle(event: OrderCreated) -> None:
        took.append((time.monotonic() - float(event.order_id.removeprefix("o-"))) * 1000)

    async with worker(url, handle, 50):
        await asyncio.sleep(0.3)
        await _published("ours", url, rate, seconds)
    await client.aclose()
    return took


async def latency_raw(url: str, rate: int, seconds: float) -> list[float]:
    """The same with XADD and a blocking XREADGROUP."""
    client = connect(url)
    await client.flushall()
    await client.xgroup_create("raw", GROUP, id="0", mkstream=True)
    took: list[float] = []

    async def read() -> None:
        while True:
            reply: Any = await client.xreadgroup(GROUP, "me", {"raw": ">"}, count=500, block=1000)
            now = time.monotonic()
            for _, entries in reply:
                took.extend((now - float(fields[b"at"])) * 1000 for _, fields in entries)
                await client.xack("raw", GROUP, *(entry_id for entry_id, _ in entries))

    task = asyncio.create_task(read())
    await asyncio.sleep(0.3)
    await _published("raw", url, rate, seconds)
    task.cancel()
    await asyncio.wait([task])
    await client.aclose()
    return took


async def _published(kind: str, url: str, rate: int, seconds: float) -> None:
    command = [sys.executable, "-m", "bench.publisher", kind, url, str(rate), str(seconds)]
    publisher = await asyncio.create_subprocess_exec(*command)
    assert await publisher.wait() == 0
    await asyncio.sleep(0.3)


async def paced(rate: int, seconds: float) -> AsyncGenerator[int]:
    """Numbers at an even rate."""
    began = time.perf_counter()
    for n in range(int(rate * seconds)):
        ahead = began + n / rate - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        yield n


async def memory(url: str, count: int) -> tuple[float, float]:
    """Bytes of Redis a waiting event, of the whole stream: ours, and a raw XADD of the same data."""
    client = connect(url)
    await client.flushall()
    await fill(RedisSender(client, opens=True), count)
    ours = await client.memory_usage(QueueKeys("orders").lanes[1], samples=0)
    await fill_raw(client, count)
    raw = await client.memory_usage("raw", samples=0)
    assert ours is not None
    assert raw is not None
    await client.aclose()
    return ours / count, raw / count


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


async def queue_figures(server: RedisServer) -> list[Figure]:
    """Every figure of the queue alone that a goal is set for."""
    url = server.url
    figures: list[Figure] = []

    ours, raw, ratio = await paired(lambda: consume(url, 20_000, 50, 0), lambda: consume_raw(url, 50_000))
    figures.append(compared("no-op handler, full path", "events/s", ours, raw, ratio, at_least=0.09))

    ideal = PLACES / HANDLER_SECONDS
    busy = [await consume(url, 20_000, PLACES, HANDLER_SECONDS) for _ in range(RUNS)]
    share = statistics.median(busy) / ideal
    figures.append(
        compared("5 ms handler, 50 at once (ideal)", "events/s", busy, [ideal], share, at_least=0.85)
    )

    pairs = [(await latency_raw(url, 1000, 3), await latency(url, 1000, 3)) for _ in range(RUNS)]
    for name, at, limit in (("p50", 0.5, 2.5), ("p99", 0.99, 2.0)):
        raw = [quantile(theirs, at) for theirs, _ in pairs]
        ours = [quantile(mine, at) for _, mine in pairs]
        ratio = statistics.median(a / b for a, b in zip(ours, raw, strict=True))
        figures.append(
            compared(f"publish to start at 1,000/s, {name}", "ms", ours, raw, ratio, at_most=limit)
        )

    mine, plain = await memory(url, 20_000)
    figures.append(
        compared("Redis memory a waiting event", "bytes", [mine], [plain], mine / plain, at_most=1.3)
    )
    return figures
