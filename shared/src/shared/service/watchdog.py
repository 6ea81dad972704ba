"""Ends a process whose event loop stands still: nothing else would, and its work would wait."""

import asyncio
import faulthandler
import sys

from shared.queue.tasks import end_all


class Watchdog:
    """Ends the process after `limit` seconds without a pulse of the loop, and prints where it stood.

    What the process held is taken over when its leases lapse. The thread that waits is
    faulthandler's, in C: it needs no interpreter lock, so that a loop that is stuck in a C function
    is ended as well. A process that was frozen as a whole for that long (SIGSTOP) ends when it
    wakes, which is right: by then others have taken over.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to watch the running loop."""
        self._task = asyncio.create_task(self._pulse(), name="watchdog")

    async def stop(self) -> None:
        if self._task:
            await end_all([self._task])

    async def _pulse(self) -> None:
        try:
            while True:
                faulthandler.dump_traceback_later(self._limit, exit=True, file=sys.__stderr__ or sys.stderr)
                await asyncio.sleep(self._limit / 10)
        finally:
            faulthandler.cancel_dump_traceback_later()
