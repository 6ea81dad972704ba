"""What can be seen of a queue from outside, without touching it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.events import Priority
from shared.queue.codec import DATA_FIELD, UndecodableError, decode
from shared.queue.connection import client_of
from shared.queue.keys import GROUP, LANES, QueueKeys
from shared.queue.scripts import ScriptsByQueue

ACTIVE_AT_MOST = 1_000
HEARD_OF = timedelta(seconds=30)
"""A consumer that Redis has heard of within this time is there; one asks about every second."""


@dataclass(frozen=True, slots=True)
class LaneDepth:
    """How full one lane is."""

    lane: Priority
    waiting: int
    in_hand: int
    oldest: timedelta | None
    """Age of the oldest entry that is still there, by the clock of Redis."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How full a queue is, and who works on it."""

    lanes: tuple[LaneDepth, ...]
    retrying: int
    consumers: int
    """Those that Redis has heard of lately."""
    is_open: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a server, in bytes."""

    used: int
    limit: int
    """Nought: none."""


class Inspector:
    """Reads queues. Raises `RedisError` or `OSError` where there is no server."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._scripts = ScriptsByQueue(client)

    async def depth(self, queue: str) -> Depth:
        keys = QueueKeys(queue)
        epoch, now_ms = await self._scripts[queue].call("epoch", (keys.control,))
        pipeline = client_of(self._client, queue).pipeline(transaction=False)
        for lane in keys.lanes:
            pipeline.xlen(lane)
            pipeline.xrange(lane, count=1)
            pipeline.xinfo_groups(lane)
            pipeline.xinfo_consumers(lane, GROUP)
        pipeline.zcard(keys.retries)
        *replies, retrying = await pipeline.execute(raise_on_error=False)
        lanes: list[LaneDepth] = []
        seen: set[bytes] = set()
        for number, lane in enumerate(LANES):
            length, first, groups, consumers = replies[4 * number : 4 * number + 4]
            group = next((group for group in _known(groups) if group["name"] == GROUP.encode()), None)
            in_hand = group["pending"] if group else 0
            oldest = timedelta(milliseconds=max(now_ms - _added_at(first[0][0]), 0)) if first else None
            lanes.append(LaneDepth(lane, max(length - in_hand, 0), in_hand, oldest))
            lately = HEARD_OF.total_seconds() * 1000
            seen |= {found["name"] for found in _known(consumers) if found["idle"] <= lately}
        return Depth(tuple(lanes), retrying, len(seen), is_open=bool(epoch))

    async def memory(self, queue: str) -> Memory:
        """Of the server that holds the queue."""
        info = await client_of(self._client, queue).info("memory")
        return Memory(info["used_memory"], info["maxmemory"])

    async def active(self, queue: str) -> set[str]:
        """The ids of the events that some worker has in hand, at most a thousand of them."""
        found: set[str] = set()
        client = client_of(self._client, queue)
        for number, lane in enumerate(QueueKeys(queue).lanes):
            try:
                pending: list[dict[str, Any]] = await client.xpending_range(
                    lane, GROUP, min="-", max="+", count=ACTIVE_AT_MOST
                )
            except ResponseError:  # no group yet
                continue
            if not pending:
                continue
            pipeline = client.pipeline(transaction=False)
            for entry in pending:
                pipeline.xrange(lane, entry["message_id"], entry["message_id"])
            for entries in await pipeline.execute():
                for _, fields in entries:
                    try:
                        found.add(decode(fields.get(DATA_FIELD, b""), LANES[number]).id)
                    except UndecodableError:
                        continue
        return found


def _known(reply: Any) -> list[dict[str, Any]]:
    """What was answered; nothing where there is no stream or no group yet, from which nothing was fetched."""
    if isinstance(reply, ResponseError):
        return []
    if isinstance(reply, Exception):
        raise reply
    return reply


def _added_at(entry_id: bytes) -> int:
    return int(entry_id.split(b"-")[0])
