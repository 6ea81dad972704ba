"""What a service counts, and what it says when it can't read."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from shared.queue import Verdict
from shared.service.metrics.counting import OUTCOMES, REASONS, Metrics
from support.deliveries import delivery, envelope, undecodable

ORDERS = {"queue": "orders", "type": "ORDER_SHIPPED"}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


class Fake:
    """A server that is asked at a scrape."""

    def __init__(self, up: str = "fake_up") -> None:
        self.up = (up, "Whether it answered.")
        self.asked = 0
        self.trouble: Exception | None = None
        self.hangs = False

    async def read(self) -> Iterable[Metric]:
        self.asked += 1
        if self.hangs:
            await asyncio.sleep(3600)
        if self.trouble:
            raise self.trouble
        return (GaugeMetricFamily("fake_rows", "Rows.", value=self.asked),)


async def test_a_delivery_is_counted_by_its_outcome_and_its_reason() -> None:
    metrics = Metrics("order-worker")

    metrics.settled(delivery(), Verdict("dead", reason="no_such_sku"), 0.1)
    await metrics.scrape()

    assert value(metrics, "queue_handled_total", outcome="dead", **ORDERS) == 1
    labels = {"queue": "orders", "outcome": "dead", "reason": "no_such_sku"}
    assert value(metrics, "queue_troubled_total", **labels) == 1


def test_what_completed_has_no_reason() -> None:
    metrics = Metrics("order-worker")

    metrics.settled(delivery(), Verdict("completed"), 0.1)

    assert b"queue_troubled_total{" not in metrics_text(metrics)


def test_waiting_ends_where_running_begins() -> None:
    metrics = Metrics("order-worker")
    arrived = datetime(2026, 1, 1, tzinfo=UTC)
    entry = f"{int(arrived.timestamp() * 1000)}-0"

    metrics.settled(
        delivery(entry=entry, started_at=arrived + timedelta(seconds=7)), Verdict("completed"), 2.5
    )

    assert value(metrics, "queue_wait_seconds_sum", **ORDERS) == 7
    assert value(metrics, "queue_run_seconds_sum", **ORDERS) == 2.5


async def test_bytes_that_are_no_event_and_unknown_types_are_one_type() -> None:
    metrics = Metrics("order-worker")

    metrics.settled(undecodable(), Verdict("dead", reason="undecodable"), 0.1)
    metrics.settled(delivery(envelope(type="NEVER_HEARD_OF")), Verdict("dead", reason="unknown_type"), 0.1)
    await metrics.scrape()

    assert value(metrics, "queue_handled_total", queue="orders", type="unknown", outcome="dead") == 2


@pytest.mark.parametrize("reason", ["a text with an id: 4711", "x" * 65, ""])
async def test_a_reason_that_is_no_short_word_is_another_one(reason: str) -> None:
    metrics = Metrics("order-worker")

    metrics.settled(delivery(), Verdict("failed", reason=reason), 0.1)
    await metrics.scrape()

    assert value(metrics, "queue_troubled_total", queue="orders", outcome="failed", reason="other") == 1


async def test_so_many_reasons_are_counted_apart_and_no_more() -> None:
    metrics = Metrics("order-worker")

    for number in range(REASONS + 10):
        metrics.settled(delivery(), Verdict("failed", reason=f"reason-{number}"), 0.1)
    await metrics.scrape()

    assert value(metrics, "queue_troubled_total", queue="orders", outcome="failed", reason="other") == 10
    assert value(metrics, "queue_troubled_total", queue="orders", outcome="failed", reason="reason-0") == 1


async def test_a_reason_is_told_as_nought_before_it_is_told_as_one() -> None:
    """Of a series that begins with one, no rate shows the first."""
    metrics = Metrics("order-worker")
    labels = {"queue": "orders", "outcome": "dead", "reason": "no_such_sku"}
    told: list[float | None] = []

    for _ in range(3):
        metrics.settled(delivery(), Verdict("dead", reason="no_such_sku"), 0.1)
        told.append(value(metrics, "queue_troubled_total", **labels))
        await metrics.scrape()

    assert told == [0, 2, 3]
    assert value(metrics, "queue_troubled_total", **labels) == 3


@pytest.mark.parametrize("expected", ["ORDER_SHIPPED", "ORDER_CANCELLED"])
async def test_an_event_that_dies_before_the_first_scrape_is_told_as_nought_and_then_as_one(
    expected: str,
) -> None:
    metrics = Metrics("order-worker")
    metrics.expect("orders", [expected])
    told: list[float | None] = []

    metrics.settled(delivery(), Verdict("dead", reason="invalid"), 0.1)
    for _ in range(3):
        lines = (await metrics.scrape()).decode().splitlines()
        series = 'queue_handled_total{outcome="dead",queue="orders",type="ORDER_SHIPPED"} '
        told += [float(line.removeprefix(series)) for line in lines if line.startswith(series)]
    metrics.settled(delivery(), Verdict("dead", reason="invalid"), 0.1)

    assert told == [0, 1, 1]
    assert value(metrics, "queue_handled_total", outcome="dead", **ORDERS) == 2


def test_what_is_expected_is_counted_from_nought() -> None:
    metrics = Metrics("order-worker")

    metrics.expect("orders", ["ORDER_SHIPPED"])

    assert {value(metrics, "queue_handled_total", outcome=name, **ORDERS) for name in OUTCOMES} == {0}


def test_requests_are_counted_by_route_and_class_of_status() -> None:
    metrics = Metrics("gateway")

    metrics.answered("GET", "/v1/events/{event_id}", 404, 0.25)

    route = {"method": "GET", "route": "/v1/events/{event_id}"}
    assert value(metrics, "queue_http_requests_total", status="4xx", **route) == 1
    assert value(metrics, "queue_http_seconds_sum", **route) == 0.25


def test_a_service_says_what_it_is() -> None:
    assert value(Metrics("gateway"), "queue_build_info", service="gateway", version="0.1.0") == 1


async def test_a_reading_is_part_of_the_scrape() -> None:
    text = await Metrics("gateway", [Fake()]).scrape()

    assert b"fake_rows 1.0" in text
    assert b"fake_up 1.0" in text


@pytest.mark.parametrize("trouble", [ConnectionError("away"), KeyError("a bug")])
async def test_a_reading_in_trouble_is_left_out_and_said_to_be_down(trouble: Exception) -> None:
    well, ill = Fake(), Fake("ill_up")
    ill.trouble = trouble

    text = await Metrics("gateway", [ill, well]).scrape()

    assert b"ill_up 0.0" in text
    assert text.count(b"\nfake_rows ") == 1
    assert b"fake_up 1.0" in text


async def test_a_reading_that_hangs_holds_up_no_scrape() -> None:
    hanging = Fake()
    hanging.hangs = True

    text = await Metrics("gateway", [hanging], within=0.05).scrape()

    assert b"fake_up 0.0" in text
    assert b"queue_build_info" in text


async def test_an_old_number_does_not_pass_for_a_new_one() -> None:
    fake = Fake()
    metrics = Metrics("gateway", [fake], fresh=0)
    await metrics.scrape()

    fake.trouble = ConnectionError("away")

    assert b"fake_rows" not in await metrics.scrape()


async def test_whoever_scrapes_often_asks_no_more() -> None:
    fake = Fake()
    metrics = Metrics("gateway", [fake], fresh=3600)

    await asyncio.gather(*(metrics.scrape() for _ in range(20)))

    assert fake.asked == 1


def metrics_text(metrics: Metrics) -> bytes:
    return generate_latest(metrics.registry)
