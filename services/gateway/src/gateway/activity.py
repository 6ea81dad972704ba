"""Which events run at this moment, as far as Redis can be asked."""

import asyncio
import logging
from collections.abc import Iterable

from gateway.ports import ActiveEvents

log = logging.getLogger(__name__)

WITHIN_SECONDS = 0.5


class Activity:
    """Asks for what is active; where there is no answer in time, nothing is shown as active."""

    def __init__(self, events: ActiveEvents, *, within: float = WITHIN_SECONDS) -> None:
        self._events = events
        self._within = within

    async def of(self, queues: Iterable[str]) -> set[str]:
        """The ids of all active events of these queues."""
        return set[str]().union(*await asyncio.gather(*map(self._of_one, queues)))

    async def _of_one(self, queue: str) -> set[str]:
        try:
            async with asyncio.timeout(self._within):
                return await self._events.active(queue)
        except Exception as error:  # noqa: BLE001 - the relay is loud about Redis; a list is still a list
            log.debug("activity_unknown", extra={"queue": queue, "error": type(error).__name__})
            return set()
