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
