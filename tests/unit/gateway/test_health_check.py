import asyncio
from typing import Any

import pytest

from gateway.activity import Activity
from gateway.health import HealthCheck


class FakeServices:
    """Implements `Services`; an exception is raised, None never answers."""

    def __init__(self, **said: Any) -> None:
        self._said = said

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._said)

    async def health(self, service: str) -> object:
        said = self._said[service]
        if said is None:
            await asyncio.sleep(60)
        if isinstance(said, Exception):
            raise said
        return said


async def _fine() -> None: ...


async def _gone() -> None:
    raise ConnectionError


async def _silent() -> None:
    await asyncio.sleep(60)


async def test_what_a_service_says_of_itself_is_passed_on() -> None:
    services = FakeServices(orders={"status": "ok", "in_hand": 3})

    health = await HealthCheck(services, _fine, _fine).look()

    assert health.model_dump()["services"]["orders"] == {"status": "ok", "in_hand": 3}
    assert health.status == "ok"


async def test_a_disabled_service_does_not_degrade_the_whole() -> None:
    services = FakeServices(orders={"status": "disabled"})

    assert (await HealthCheck(services, _fine, _fine).look()).status == "ok"


@pytest.mark.parametrize(
    "said",
    [{"status": "down"}, {"status": "degraded"}, {"status": "fine"}, {}, [], "ok", ConnectionError(), None],
)
async def test_a_service_that_is_not_well_degrades_the_whole(said: Any) -> None:
    health = await HealthCheck(FakeServices(orders=said), _fine, _fine, within=0.05).look()

    assert health.status == "degraded"
    assert health.services["orders"].status in {"down", "degraded"}


@pytest.mark.parametrize("redis", [_gone, _silent])
async def test_without_redis_the_whole_is_degraded(redis: Any) -> None:
    health = await HealthCheck(FakeServices(), redis, _fine, within=0.05).look()

    assert (health.status, health.redis.status) == ("degraded", "down")


@pytest.mark.parametrize("database", [_gone, _silent])
async def test_without_its_database_the_whole_is_down(database: Any) -> None:
    health = await HealthCheck(FakeServices(), _fine, database, within=0.05).look()

    assert (health.status, health.services["gateway"].status) == ("down", "down")


async def test_all_are_asked_at_once() -> None:
    services = FakeServices(**{f"service-{n}": None for n in range(20)})

    async with asyncio.timeout(5):  # one after the other they would take 11 s
        await HealthCheck(services, _silent, _silent, within=0.5).look()


class FakeActive:
    """Implements `ActiveEvents`."""

    async def active(self, queue: str) -> set[str]:
        if queue == "broken":
            raise ConnectionError
        if queue == "slow":
            await asyncio.sleep(60)
        return {f"{queue}-1"}


async def test_a_queue_that_cannot_be_asked_has_nothing_active() -> None:
    active = await Activity(FakeActive(), within=0.05).of(["orders", "broken", "slow", "payments"])

    assert active == {"orders-1", "payments-1"}
