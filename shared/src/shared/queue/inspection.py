"""What can be seen of a queue from outside, without touching it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.events import Priority
from shared.queue.codec import DATA_FIELD, UndecodableError, decode
from shared.queue.keys import GROUP, LANES, QueueKeys

ACTIVE_AT_MOST = 1_000


@dataclass(frozen=True, slots=True)
class LaneDepth:
    """How full one lane is."""

    lane: Priority
    waiting: int
    in_hand: int
    oldest: datetime | None
    """When the oldest entry that is still there was added, by the clock of Redis."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How full a queue is."""

    lanes: tuple[LaneDepth, ...]
    retrying: int


class Inspector:
    """Reads queues. Raises `RedisError` or `OSError` where there is no server."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def depth(self, queue: str) -> Depth:
        keys = QueueKeys(queue)
        pipeline = self._client.pipeline(transaction=False)
        for lane in keys.lanes:
            pipeline.xlen(lane)
            pipeline.xpending(lane, GROUP)
            pipeline.xrange(lane, count=1)
        pipeline.zcard(keys.retries)
        *replies, retrying = await pipeline.execute(raise_on_error=False)
        depths: list[LaneDepth] = []
        for number, lane in enumerate(LANES):
            length, pending, first = replies[3 * number : 3 * number + 3]
            if isinstance(pending, Exception):  # no group yet: nothing was ever fetched
                if not isinstance(pending, ResponseError):
                    raise pending
                pending = {"pending": 0}
            in_hand = int(pending["pending"])
            oldest = _added_at(first[0][0]) if first else None
            depths.append(LaneDepth(lane, max(length - in_hand, 0), in_hand, oldest))
        return Depth(tuple(depths), retrying)

    async def active(self, queue: str) -> set[str]:
        """The ids of the events that some worker has in hand, at most a thousand of them."""
        found: set[str] = set()
        for number, lane in enumerate(QueueKeys(queue).lanes):
            try:
                pending: list[dict[str, Any]] = await self._client.xpending_range(
                    lane, GROUP, min="-", max="+", count=ACTIVE_AT_MOST
                )
            except ResponseError:  # no group yet
                continue
            if not pending:
                continue
            pipeline = self._client.pipeline(transaction=False)
            for entry in pending:
                pipeline.xrange(lane, entry["message_id"], entry["message_id"])
            for entries in await pipeline.execute():
                for _, fields in entries:
                    try:
                        found.add(decode(fields.get(DATA_FIELD, b""), LANES[number]).id)
                    except UndecodableError:
                        continue
        return found


def _added_at(entry_id: bytes) -> datetime:
    return datetime.fromtimestamp(int(entry_id.split(b"-")[0]) / 1000, UTC)
