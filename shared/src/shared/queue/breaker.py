"""Pauses a consumer while its ledger is in trouble, and asks now and then whether it is over."""

import asyncio
import logging

from shared.queue.ledger import Ledger
from shared.queue.policy import Backoff

log = logging.getLogger(__name__)


class Breaker:
    """Closed while all is well. One caller probes while it is open; the others wait for the result."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._well = asyncio.Event()
        self._well.set()
        self.trouble: str | None = None
        """What is wrong, for a person; None while all is well."""

    async def recover_from(self, error: BaseException) -> None:
        """Returns once the ledger answers again. The trouble is logged once, and its end."""
        if not self._well.is_set():
            await self._well.wait()
            return
        self._well.clear()
        self.trouble = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        log.warning("ledger_in_trouble", extra={"error": self.trouble})
        backoff = Backoff(base=0.2, cap=3.0)
        try:
            while True:
                await asyncio.sleep(backoff.next())
                try:
                    await self._ledger.ping()
                except Exception as again:
                    if not self._ledger.is_infrastructure(again) and not isinstance(again, TimeoutError):
                        raise
                else:
                    log.info("ledger_recovered")
                    return
        finally:
            self.trouble = None
            self._well.set()
