"""BullMQ's Redis as BullMQ left it, and this system's gateway beside it."""

import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

import httpx
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from integration.gateway.house import ADMIN_KEY, House
from local_start.bullmq.drain import Drain, Target
from local_start.bullmq.mapping import JobMappings
from local_start.bullmq.report import QueueReport
from local_start.bullmq.source import BullQueue
from shared.client import EventPublisher, RetryPolicy
from shared.queue.connection import connect

HERE: Final = Path(__file__).parent
QUEUES: Final = ("orders", "payments", "inventory", "notifications")
SCORE_STEPS: Final = 0x1000


def fill(client: Redis) -> int:
    """Fills an empty server with what `npm/bullmq.mjs fill` left in one, as if it had been now.

    Returns how many milliseconds later that is than the recording.
    """
    recorded: dict[str, Any] = json.loads((HERE / "recorded.json").read_text())
    later = int(time.time() * 1000) - int(recorded["bull:orders:1"]["timestamp"])
    for key, value in recorded.items():
        if isinstance(value, str):
            client.set(key, value)
        elif isinstance(value, list):
            add = client.sadd if key.endswith(":dependencies") else client.rpush
            add(key, *cast("list[str]", value))
        elif key.endswith((":delayed", ":prioritized", ":failed", ":waiting-children", ":repeat")):
            shift = later * SCORE_STEPS if key.endswith(":delayed") else 0
            client.zadd(key, {name: score + shift for name, score in value.items()})
        else:
            client.hset(key, mapping=value)
    return later


def everything(client: Redis) -> dict[bytes, Any]:
    """The whole server, to be compared."""
    keys = cast("list[bytes]", client.keys())
    return {key: _READERS[cast("bytes", client.type(key))](client, key) for key in keys}


_READERS: Final[Mapping[bytes, Callable[[Redis, bytes], Any]]] = {
    b"hash": lambda client, key: client.hgetall(key),
    b"list": lambda client, key: client.lrange(key, 0, -1),
    b"set": lambda client, key: client.smembers(key),
    b"string": lambda client, key: client.get(key),
    b"zset": lambda client, key: client.zrange(key, 0, -1, withscores=True),
}


def queue_of(client: AsyncRedis, name: str = "orders") -> BullQueue:
    return BullQueue(client, name, "bull")


class Shop:
    """A shop that leaves BullMQ."""

    def __init__(self, house: House, client: AsyncRedis) -> None:
        self.house = house
        self.client = client

    async def drain(
        self,
        name: str = "orders",
        *,
        remove: bool = True,
        mappings: JobMappings | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        patience: timedelta = timedelta(seconds=30),
    ) -> QueueReport:
        way = transport or httpx.ASGITransport(self.house.gateway.app)
        retry = RetryPolicy(deadline=patience)
        async with EventPublisher("http://localhost", ADMIN_KEY, retry=retry, transport=way) as publisher:
            return await self._run(name, mappings, Target(publisher, remove))

    async def look(self, name: str = "orders", mappings: JobMappings | None = None) -> QueueReport:
        return await self._run(name, mappings, None)

    async def events(self) -> dict[str, Mapping[str, Any]]:
        """What the gateway has, by what it is about."""
        items = await self.house.items("/v1/events", limit=200)
        assert len({item["subject"] for item in items}) == len(items), "an event was published twice"
        return {item["subject"]: item for item in items}

    async def _run(self, name: str, mappings: JobMappings | None, target: Target | None) -> QueueReport:
        queue = queue_of(self.client, name)
        report = QueueReport(name, await queue.look())
        await Drain(queue, mappings or JobMappings(), target).run(report)
        return report


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[AsyncRedis]:
    client = connect(url)
    try:
        yield client
    finally:
        await client.aclose()
