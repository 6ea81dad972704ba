"""What a service counts, in Prometheus' words. Labels take few values: never an id.

What is counted as it happens stands here; what is read at a scrape is a `Reading`.
"""

import asyncio
import re
import sys
import time
from collections import Counter as Counts
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from shared.events import EVENT_TYPES
from shared.queue import Delivery, Verdict
from shared.service.metrics.reading import ASK_SECONDS, FRESH_SECONDS, LastRead, Reading, asked

RUN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
WAIT_SECONDS = (*RUN_SECONDS, 300, 3600)
HTTP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
OUTCOMES = ("completed", "dead", "cancelled", "expired", "failed", "postponed", "repeated")
REASONS = 50
"""How many different reasons are counted apart; they come from code, and code may have bugs."""

_REASON = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(
        self,
        service: str,
        readings: Sequence[Reading] = (),
        *,
        within: float = ASK_SECONDS,
        fresh: float = FRESH_SECONDS,
    ) -> None:
        """`within`, in seconds, bounds each of the readings; what was read serves for `fresh` seconds."""
        disable_created_metrics()  # a second series for each, which nobody asks for
        self.registry = CollectorRegistry()
        self._readings = readings
        self._within = within
        self._fresh = fresh
        self._read = LastRead()
        self._asking = asyncio.Lock()
        self._reasons: set[str] = set()
        self._told: set[Counter] = set()  # the series that a scrape has shown
        self._untold: Counts[Counter] = Counts()  # what those that none has shown yet have to add
        self.registry.register(self._read)
        ProcessCollector(registry=self.registry)
        self._outcomes = Counter(
            "queue_handled",
            "Deliveries by how they were settled.",
            ["queue", "type", "outcome"],
            registry=self.registry,
        )
        self._troubled = Counter(
            "queue_troubled",
            "Deliveries that did not complete, by why.",
            ["queue", "outcome", "reason"],
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
            "From an entry's arrival in Redis to its start; a retry arrives when it is due.",
            ["queue", "type"],
            buckets=WAIT_SECONDS,
            registry=self.registry,
        )
        self._requests = Counter(
            "queue_http_requests",
            "Answers over HTTP, by the route's template and the class of the status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._http_seconds = Histogram(
            "queue_http_seconds",
            "From a request's arrival to the end of its answer.",
            ["method", "route"],
            buckets=HTTP_SECONDS,
            registry=self.registry,
        )
        # A look-up by labels costs more than counting does.
        self._of_delivery = cache(self._series_of_delivery)
        self._of_request = cache(self._series_of_request)
        build = Gauge("queue_build_info", "What runs here.", ["service", "version"], registry=self.registry)
        build.labels(service, _version(service)).set(1)

    def expect(self, queue: str, types: Iterable[str]) -> None:
        """Shows these as nought until there is one."""
        for type_name in (*types, "unknown"):
            for outcome in OUTCOMES:
                self._untold[self._outcomes.labels(queue, type_name, outcome)] += 0

    def settled(self, delivery: Delivery, verdict: Verdict, seconds: float) -> None:
        """Implements the queue's `Observer`."""
        type_name = delivery.envelope.type if delivery.envelope else ""
        known = type_name if type_name in EVENT_TYPES else "unknown"
        outcomes, ran, waited = self._of_delivery(delivery.queue, known, verdict.outcome)
        if verdict.outcome == "dead":
            self._count_from_nought(outcomes)
        else:
            outcomes.inc()
        if verdict.reason is not None:
            reason = self._bounded(verdict.reason)
            self._count_from_nought(self._troubled.labels(delivery.queue, verdict.outcome, reason))
        ran.observe(seconds)
        arrived = int(delivery.entry_id.partition("-")[0]) / 1000
        waited.observe(max(delivery.started_at.timestamp() - arrived, 0))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request; `method` and `route` are of those that the service knows."""
        requests, took = self._of_request(method, route, status // 100)
        requests.inc()
        took.observe(seconds)

    async def scrape(self) -> bytes:
        """All of it as text, with what the readings say now; never waits long, never raises."""
        async with self._asking:
            if time.monotonic() - self._read.at >= self._fresh:
                said = await asyncio.gather(*(asked(one, self._within) for one in self._readings))
                self._read.set([family for families in said for family in families])
        text = generate_latest(self.registry)
        for series, times in self._untold.items():
            series.inc(times)
        self._told.update(self._untold)
        self._untold.clear()
        return text

    def _count_from_nought(self, series: Counter) -> None:
        """For what an alert asks: of a series that a scrape first shows as one, no rate shows that one."""
        if series in self._told:
            series.inc()
        else:
            self._untold[series] += 1

    def _series_of_delivery(
        self, queue: str, type_name: str, outcome: str
    ) -> tuple[Counter, Histogram, Histogram]:
        return (
            self._outcomes.labels(queue, type_name, outcome),
            self._seconds.labels(queue, type_name),
            self._waited.labels(queue, type_name),
        )

    def _series_of_request(self, method: str, route: str, hundreds: int) -> tuple[Counter, Histogram]:
        return (
            self._requests.labels(method, route, f"{hundreds}xx"),
            self._http_seconds.labels(method, route),
        )

    def _bounded(self, reason: str) -> str:
        if reason in self._reasons:
            return reason
        if len(self._reasons) >= REASONS or not _REASON.fullmatch(reason):
            return "other"
        self._reasons.add(reason)
        return reason


def _version(service: str) -> str:
    try:
        return version(service)
    except PackageNotFoundError:  # pragma: no cover - a service is always installed, a part of a test is not
        return f"python-{sys.version_info.major}.{sys.version_info.minor}"
