"""Tasks end, whatever becomes of their cancellation."""

import asyncio

from shared.queue.tasks import end_all


async def test_a_task_that_swallows_a_cancellation_is_ended() -> None:
    swallowed = 0

    async def swallow() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed > 2:
                    raise

    task = asyncio.create_task(swallow())
    await asyncio.sleep(0)

    await asyncio.wait_for(end_all([task]), 5)

    assert task.done()
    assert swallowed == 3


async def test_ended_tasks_are_passed_over() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    await task

    await end_all([task])
    await end_all([])
