"""How a service is, in time for whoever asks."""

import asyncio

import pytest

from gateway.health import WITHIN_SECONDS
from shared.service.health import CHECK_SECONDS, Check, Health
from shared.service.metrics.reading import ASK_SECONDS
from shared.store.database import PING_SECONDS, SILENCE_SECONDS


async def silent() -> str | None:
    await asyncio.sleep(60)
    return None


async def stubborn() -> str | None:
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(60)
    return None


async def well() -> str | None:
    return None


@pytest.mark.parametrize("check", [silent, stubborn], ids=["silent", "one that takes no leave"])
async def test_a_need_that_never_answers_is_a_trouble_and_holds_up_no_other(check: Check) -> None:
    health = Health(alive=lambda: None, needs={"redis": check, "database": well})

    troubles = await asyncio.wait_for(health.troubles(), 30)

    assert troubles == {"redis": f"no answer within {CHECK_SECONDS:g} s"}


def test_whoever_asks_a_service_how_it_is_waits_longer_than_any_of_its_needs_may_take() -> None:
    assert min(ASK_SECONDS, WITHIN_SECONDS) > CHECK_SECONDS


def test_a_ping_of_the_database_gives_up_before_it_is_cancelled() -> None:
    assert SILENCE_SECONDS < PING_SECONDS < CHECK_SECONDS
