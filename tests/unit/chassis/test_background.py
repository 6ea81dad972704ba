"""Loops that run as long as the service does."""

import asyncio

import pytest

from shared.service.background import Background
from support import eventually


async def test_a_loop_that_a_bug_ends_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    starts = 0

    async def loop() -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise KeyError("a bug")
        await asyncio.sleep(60)

    background = Background()
    background.start("relay", loop)

    await eventually(lambda: starts == 2)
    assert "background_loop_died" in caplog.text
    await background.stop()


async def test_a_loop_that_was_well_for_long_is_started_again_soon() -> None:
    hour = 3600.0
    clock = 0.0
    pauses: list[float] = []
    deaths = iter([0.0, 0.0, 0.0, 0.0, hour])

    async def loop() -> None:
        nonlocal clock
        clock += next(deaths)
        raise KeyError("a bug")

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 5:
            await asyncio.sleep(60)

    background = Background(clock=lambda: clock, pause=pause)
    background.start("relay", loop)

    await eventually(lambda: len(pauses) == 5)
    await background.stop()
    assert pauses[4] < pauses[3]


async def test_a_loop_that_ends_by_a_stray_cancellation_is_started_again() -> None:
    starts = 0

    async def loop() -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise asyncio.CancelledError
        await asyncio.sleep(60)

    background = Background()
    background.start("relay", loop)

    await eventually(lambda: starts == 2)
    await background.stop()


async def test_a_stop_ends_every_loop() -> None:
    ended: list[str] = []

    async def loop() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("ended")

    background = Background()
    background.start("a", loop)
    background.start("b", loop)
    await asyncio.sleep(0)

    await asyncio.wait_for(background.stop(), 2)

    assert ended == ["ended", "ended"]


async def test_a_stop_without_loops_ends() -> None:
    await Background().stop()
