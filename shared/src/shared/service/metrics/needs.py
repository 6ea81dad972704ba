"""What a service needs, as its readiness asks for it, at a scrape."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from shared.service.health import Health


class NeedsReading:
    """Of a service's needs: Redis, database, provider, mail server, with a time limit for each."""

    up = None

    def __init__(self, health: Health, others: Mapping[str, Callable[[], str | None]] | None = None) -> None:
        """`others` are needs without which it is ready all the same; each says its trouble at once."""
        self._health = health
        self._others = others or {}

    async def read(self) -> Iterable[Metric]:
        troubles: dict[str, str | None] = dict.fromkeys(self._health.needs)
        troubles |= await self._health.troubles()
        troubles |= {name: trouble() for name, trouble in self._others.items()}
        needs = GaugeMetricFamily(
            "queue_need_up", "Whether what the service needs is well, as it says itself.", labels=("need",)
        )
        for name, trouble in troubles.items():
            needs.add_metric((name,), 0 if trouble else 1)
        return (needs,)


class ConsumerReading:
    """Of a worker's own consumer."""

    up = None

    def __init__(self, queue: str, *, places: int, trouble: Callable[[], str | None]) -> None:
        self._queue = queue
        self._places = places
        self._trouble = trouble

    async def read(self) -> Iterable[Metric]:
        up = GaugeMetricFamily(
            "queue_consumer_up", "Whether this process's consumer does its work.", labels=("queue",)
        )
        up.add_metric((self._queue,), 0 if self._trouble() else 1)
        places = GaugeMetricFamily(
            "queue_consumer_places", "Handlers that may run at once in this process.", labels=("queue",)
        )
        places.add_metric((self._queue,), self._places)
        return up, places
