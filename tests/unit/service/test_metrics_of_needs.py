"""What a service needs, as a gauge."""

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

from shared.service.health import Health
from shared.service.metrics.needs import ConsumerReading, NeedsReading


def values(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    """By name and values of labels."""
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


async def well() -> str | None:
    return None


async def ill() -> str | None:
    return "no login"


async def broken() -> str | None:
    raise ConnectionError


async def test_each_need_is_up_or_not_whatever_its_trouble() -> None:
    health = Health(alive=lambda: None, needs={"redis": well, "smtp": ill, "provider": broken})

    read = await NeedsReading(health, {"gateway": lambda: "refused"}).read()

    assert values(read) == {
        ("queue_need_up", "redis"): 1,
        ("queue_need_up", "smtp"): 0,
        ("queue_need_up", "provider"): 0,
        ("queue_need_up", "gateway"): 0,
    }


async def test_a_consumer_in_trouble_is_down() -> None:
    read = await ConsumerReading("orders", places=5, trouble=lambda: "silent for 20 s").read()

    assert values(read) == {("queue_consumer_up", "orders"): 0, ("queue_consumer_places", "orders"): 5}
