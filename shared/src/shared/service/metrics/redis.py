"""What is read of Redis at a scrape: how full the queues are, who works on them, the server's memory."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from redis.exceptions import RedisError

from shared.queue.inspection import Depth, Inspector, Memory
from shared.service.metrics.reading import ASK_SECONDS

Seen = TypeVar("Seen")

_BY_LANE = ("queue", "lane")
_BY_QUEUE = ("queue",)


class QueueReading:
    """Of these queues, all at once; a few commands in two round trips for each.

    In a cluster each may be on a server of its own: only what is on one that is away is left out.
    """

    up = None

    def __init__(self, inspector: Inspector, queues: Sequence[str]) -> None:
        self._inspector = inspector
        self._queues = queues

    async def read(self) -> Iterable[Metric]:
        looks = await asyncio.gather(*(self._look(queue) for queue in self._queues))
        seen = {queue: look for queue, look in zip(self._queues, looks, strict=True) if look}
        up = GaugeMetricFamily(
            "queue_redis_up", "Whether the queue's server answered this scrape.", labels=_BY_QUEUE
        )
        for queue in self._queues:
            up.add_metric((queue,), queue in seen)
        depths = {queue: depth for queue, (depth, _) in seen.items()}
        memories = {queue: memory for queue, (_, memory) in seen.items()}
        return (up, *_by_lane(depths), *_by_queue(depths), *_memory(memories))

    async def _look(self, queue: str) -> tuple[Depth, Memory] | None:
        """Within less time than the whole reading has, so that what the others say is told."""
        with suppress(RedisError, OSError):  # a TimeoutError is an OSError
            async with asyncio.timeout(ASK_SECONDS * 0.75):
                return await self._inspector.depth(queue), await self._inspector.memory(queue)
        return None


def _by_lane(depths: Mapping[str, Depth]) -> Iterable[Metric]:
    waiting = GaugeMetricFamily("queue_depth", "Entries that wait.", labels=_BY_LANE)
    in_hand = GaugeMetricFamily("queue_in_hand", "Entries that a worker holds.", labels=_BY_LANE)
    oldest = GaugeMetricFamily(
        "queue_oldest_seconds", "Age of the oldest entry that is still there.", labels=_BY_LANE
    )
    for queue, depth in depths.items():
        for lane in depth.lanes:
            labels = (queue, lane.lane.value)
            waiting.add_metric(labels, lane.waiting)
            in_hand.add_metric(labels, lane.in_hand)
            oldest.add_metric(labels, lane.oldest.total_seconds() if lane.oldest else 0)
    return waiting, in_hand, oldest


def _by_queue(depths: Mapping[str, Depth]) -> Iterable[Metric]:
    return (
        _gauge(depths, "queue_retrying", "Events that wait for another try.", lambda depth: depth.retrying),
        _gauge(
            depths,
            "queue_consumers",
            "Consumers that Redis has heard of lately.",
            lambda depth: depth.consumers,
        ),
        _gauge(
            depths,
            "queue_open",
            "Whether the queue is open; a closed one waits for a gateway.",
            lambda depth: float(depth.is_open),
        ),
    )


def _memory(memories: Mapping[str, Memory]) -> Iterable[Metric]:
    return (
        _gauge(
            memories,
            "queue_redis_memory_bytes",
            "Memory that the server uses which holds the queue.",
            lambda memory: memory.used,
        ),
        _gauge(
            memories,
            "queue_redis_memory_max_bytes",
            "Memory that the server may use which holds the queue; 0: no limit.",
            lambda memory: memory.limit,
        ),
    )


def _gauge(seen: Mapping[str, Seen], name: str, text: str, value: Callable[[Seen], float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=_BY_QUEUE)
    for queue, one in seen.items():
        family.add_metric((queue,), value(one))
    return family
