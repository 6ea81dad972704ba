"""A system whose Redis is more than one server, and how long it is away when something breaks."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx

from support.faults_client import order
from support.faults_load import Load
from support.postgres import PostgresServer
from support.system import QUEUES, Shape, System
from support.waiting import until

ROUNDS = 5 if os.environ.get("SIZE") == "full" else 1
"""How often a proof repeats its fault."""


class PlaneSystem(System):
    """A system on a plane: a `RedisServer`, `SentinelSet` or `ClusterSet`."""

    def __init__(
        self,
        directory: Path,
        shape: Shape,
        plane: Any,
        *,
        postgres: PostgresServer | None = None,
        redis_urls: Callable[[str], str] | None = None,
        database_urls: Callable[[str], str] | None = None,
    ) -> None:
        """The callables answer for a kind of service; one for databases takes the server's own URL."""
        self._plane = plane
        self._redis_urls = redis_urls
        self._database_urls = database_urls
        super().__init__(directory, shape, postgres=postgres)
        self.redis = plane

    def start(self, *, redis: bool = True) -> None:
        """Starts the plane, unless it runs, and then all processes."""
        super().start(redis=redis and not getattr(self._plane, "is_running", False))

    def _environment(self, kind: str, name: str) -> dict[str, str]:
        told = super()._environment(kind, name)
        told["REDIS_URL"] = self._plane.url
        if self._redis_urls and (kind == "gateway" or kind in QUEUES):
            told["REDIS_URL"] = self._redis_urls(kind)
        if self._database_urls and told["DATABASE_URL"]:
            told["DATABASE_URL"] = self._database_urls(told["DATABASE_URL"])
        return told


class Stopwatch:
    """Measures an outage from outside: until an order that was placed after it began is done.

    One order a quarter of a second is offered, so it is right to about that.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._client = load.client
        self._placed = 0

    def until_well(self, within: float = 60.0) -> float:
        """Seconds from now until the first of the orders that are placed from now on is stored."""
        began = time.monotonic()
        ids: list[str] = []

        def one_is_done() -> bool:
            self._placed += 1
            placed = order(f"watch-{self._placed}")
            ids.append(self._client.publish(placed, id=f"WATCH.{self._placed}"))
            time.sleep(0.25)
            return any(self._status(event_id) == "completed" for event_id in ids)

        until(one_is_done, within=within)
        return time.monotonic() - began

    def _status(self, event_id: str) -> str:
        try:
            return self._client.event(event_id)["status"]
        except httpx.HTTPError:
            return ""


def in_seconds(times: Iterable[float]) -> str:
    return ", ".join(f"{seconds:.1f}" for seconds in times) + " s"
