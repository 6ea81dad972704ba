"""Tasks that run as long as the service does."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from shared.queue.policy import Backoff
from shared.queue.tasks import end_all

log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 10.0


class Background:
    """Loops that are started again if a bug ends them, with a pause and a loud line in the log."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._pause = pause
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Runs `loop` until `stop`. The trouble that it knows how to wait out, it waits out itself."""
        self._tasks.append(asyncio.create_task(self._keep(name, loop), name=name))

    async def stop(self) -> None:
        await end_all(self._tasks)
        self._tasks.clear()

    async def _keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        backoff = Backoff(base=0.5, cap=LONGEST_PAUSE_SECONDS)
        while True:
            began = self._clock()
            try:
                await loop()
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                log.exception("background_loop_died", extra={"loop": name})  # a stray one: nobody asked
            except Exception:
                log.exception("background_loop_died", extra={"loop": name})
            if self._clock() - began > LONGEST_PAUSE_SECONDS:
                backoff.reset()  # it was well: what ended it before is over
            await self._pause(backoff.next())
