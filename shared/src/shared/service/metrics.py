"""What a service counts, in Prometheus' words. Labels take few values: never an id."""

import asyncio
import time
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from redis.exceptions import RedisError

from shared.events import EVENT_TYPES
from shared.queue import Delivery, Verdict
from shared.queue.inspection import Inspector

RUN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
ASK_SECONDS = 1.0


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._outcomes = Counter(
            "queue_handled",
            "Deliveries by how they were settled.",
            ["queue", "type", "outcome"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "queue_run_seconds",
            "From a delivery's start to its committed outcome.",
            ["queue", "type"],
            buckets=RUN_SECONDS,
            registry=self.registry,
        )
        self._waited = Histogram(
            "queue_wait_seconds",
            "From an entry's arrival in Redis to its start.",
            ["queue"],
            buckets=(*RUN_SECONDS, 300, 3600),
            registry=self.registry,
        )
        self._waiting = Gauge("queue_depth", "Entries that wait.", ["queue", "lane"], registry=self.registry)
        self._in_hand = Gauge(
            "queue_in_hand", "Entries that a worker holds.", ["queue", "lane"], registry=self.registry
        )
        self._retrying = Gauge(
            "queue_retrying", "Events that wait for another try.", ["queue"], registry=self.registry
        )
        self._oldest = Gauge(
            "queue_oldest_seconds",
            "Age of the oldest entry that is still there.",
            ["queue"],
            registry=self.registry,
        )
        self._redis_up = Gauge(
            "queue_redis_up", "Whether Redis answered this scrape.", registry=self.registry
        )

    def settled(self, delivery: Delivery, verdict: Verdict, seconds: float) -> None:
        """Implements the queue's `Observer`."""
        type_name = delivery.envelope.type if delivery.envelope else ""
        known = type_name if type_name in EVENT_TYPES else "unknown"
        self._outcomes.labels(delivery.queue, known, verdict.outcome).inc()
        self._seconds.labels(delivery.queue, known).observe(seconds)
        arrived = int(delivery.entry_id.partition("-")[0]) / 1000
        self._waited.labels(delivery.queue).observe(max(delivery.fetched_at.timestamp() - arrived, 0))

    async def scrape(self, inspector: Inspector, queues: Sequence[str]) -> bytes:
        """All of it as text, with the depths read now; without them where Redis does not answer in time."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                for queue in queues:
                    await self._read_depth(inspector, queue)
            self._redis_up.set(1)
        except (RedisError, OSError):
            self._redis_up.set(0)
            for gauge in (self._waiting, self._in_hand, self._retrying, self._oldest):
                gauge.clear()  # an old number would pass for a new one
        return generate_latest(self.registry)

    async def _read_depth(self, inspector: Inspector, queue: str) -> None:
        depth = await inspector.depth(queue)
        oldest = min((lane.oldest.timestamp() for lane in depth.lanes if lane.oldest), default=None)
        for lane in depth.lanes:
            self._waiting.labels(queue, lane.lane.value).set(lane.waiting)
            self._in_hand.labels(queue, lane.lane.value).set(lane.in_hand)
        self._retrying.labels(queue).set(depth.retrying)
        self._oldest.labels(queue).set(max(time.time() - oldest, 0) if oldest else 0)
