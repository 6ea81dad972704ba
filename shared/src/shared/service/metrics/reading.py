"""What is read at a scrape, and not counted as it happens.

A reading is bounded in time, and left out where its server does not answer, which a gauge then says: an
old number would pass for a new one.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

ASK_SECONDS = 2.0
"""How long a scrape waits for any one reading."""
FRESH_SECONDS = 1.0
"""How long what was read serves further scrapes: whoever scrapes often costs no more than that."""


class Reading(Protocol):
    """Something that is asked at a scrape."""

    @property
    def up(self) -> tuple[str, str] | None:
        """Name and help of the gauge that says whether it answered."""
        ...

    async def read(self) -> Iterable[Metric]: ...


class LastRead(Collector):
    """What the readings said last, as a part of the registry."""

    def __init__(self) -> None:
        self.at = float("-inf")
        self._families: Sequence[Metric] = ()

    def set(self, families: Sequence[Metric]) -> None:
        self._families, self.at = families, time.monotonic()

    def describe(self) -> Iterable[Metric]:
        return ()  # else the registry would ask `collect` for the names, before anything was read

    def collect(self) -> Iterator[Metric]:
        yield from self._families


async def asked(reading: Reading, within: float) -> list[Metric]:
    families: list[Metric] = []
    try:
        async with asyncio.timeout(within):
            families = list(await reading.read())
    except Exception:  # noqa: BLE001 whatever is wrong there, the rest is still to be told
        answered = 0
    else:
        answered = 1
    if reading.up:
        families.append(GaugeMetricFamily(*reading.up, value=answered))
    return families
