"""Tasks that run as long as the service does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from shared.queue.policy import Backoff
from shared.queue.tasks import end_all

log = logging.getLogger(__name__)


class Background:
    """Loops that are started again if a bug ends them, with a pause and a loud line in the log."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Runs `loop` until `stop`. The trouble that it knows how to wait out, it waits out itself."""
        self._tasks.append(asyncio.create_task(self._keep(name, loop), name=name))

    async def stop(self) -> None:
        await end_all(self._tasks)
        self._tasks.clear()

    async def _keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        backoff = Backoff(base=0.5, cap=10.0)
        while True:
            try:
                await loop()
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                log.exception("background_loop_died", extra={"loop": name})  # a stray one: nobody asked
            except Exception:
                log.exception("background_loop_died", extra={"loop": name})
            await asyncio.sleep(backoff.next())
