"""The whole system, once for all that is looked at here, with a collector of its traces."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from shared.events import PaymentAuthorized
from support.checker import Checker
from support.faults_client import order
from support.otlp import Collector
from support.system import Shape, System

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-1122334455667788-01"
"""The trace of a shop that publishes within a trace of its own."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A system that has taken some orders, and what it reported."""

    system: System
    collector: Collector
    ids: Mapping[str, str]
    """Events by what they are here."""

    def scrape(self, service: str) -> dict[str, Metric]:
        """By name, as Prometheus would call it."""
        answer = httpx.get(f"{self.system.service(service).url}/metrics", trust_env=False, timeout=10)
        return {family.name: family for family in text_string_to_metric_families(answer.text)}


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One order is paid, one payment dies for its amount."""
    with Collector() as collector:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        shape = Shape(payments=1, notifications=1, settings=settings)
        directory = tmp_path_factory.mktemp("watched")
        with System(directory, shape) as system, system.client() as client:
            client.set_stock("mug", 10)
            ids = {"order": client.publish(order("one", mug=2))}
            Checker(system).settle(within=60)
            ids["payment"] = client.publish(_payment("one", 1000))
            ids["mismatch"] = client.publish(_payment("one", 7))
            client.post(
                "/v1/events",
                {"type": "ORDER_SHIPPED", "data": _SHIPPED, "id": "shipped-in-a-trace"},
                headers={"traceparent": CALLER},
            )
            Checker(system).settle(within=60)
            yield Watched(system, collector, ids)


_SHIPPED = {"order_id": "one", "carrier": "DHL", "tracking_number": "0034"}


def _payment(order_id: str, amount: int) -> PaymentAuthorized:
    return PaymentAuthorized(
        payment_id=f"{order_id}-{amount}", order_id=order_id, amount=amount, currency="EUR", method="tok_ok"
    )
