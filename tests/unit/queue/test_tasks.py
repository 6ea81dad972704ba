"""Tasks end, whatever becomes of their cancellation."""

import asyncio

import pytest

from shared.queue.tasks import end_all


async def test_a_task_that_swallows_a_cancellation_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.queue.tasks.AGAIN_SECONDS", 0.05)
    swallowed = 0

    async def swallow() -> None:
        nonlocal swallowed
        for _ in range(3):
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                swallowed += 1

    task = asyncio.create_task(swallow())
    await asyncio.sleep(0)

    await asyncio.wait_for(end_all([task]), 4)

    assert task.done()
    assert swallowed == 3


async def test_ended_tasks_are_passed_over() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    await task

    await end_all([task])
    await end_all([])
