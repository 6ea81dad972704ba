"""A time limit that is not to be missed."""

import asyncio
from contextlib import suppress

import pytest

from shared.queue.deadline import Deadline, TimeLimitError


async def test_a_block_in_time_is_left_alone() -> None:
    with Deadline(5, "it"):
        await asyncio.sleep(0)


async def test_a_block_without_a_limit_is_left_alone() -> None:
    with Deadline(None, "it"):
        await asyncio.sleep(0.01)


async def test_a_block_that_takes_longer_ends_with_its_own_error_and_the_task_goes_on() -> None:
    with pytest.raises(TimeLimitError, match="it took longer than"), Deadline(0.01, "it"):
        await asyncio.sleep(60)

    await asyncio.sleep(0)


async def test_a_block_that_swallows_a_cancellation_is_cancelled_again() -> None:
    async def swallow_one() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    with pytest.raises(TimeLimitError), Deadline(0.01, "it"):
        await swallow_one()


async def test_a_cancellation_of_somebody_elses_passes_through() -> None:
    async def wait() -> None:
        with Deadline(60, "it"):
            await asyncio.sleep(60)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
