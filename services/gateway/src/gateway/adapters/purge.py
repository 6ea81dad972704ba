"""Idempotency keys are forgotten once nobody may rely on them."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import col

from gateway.adapters.tables import UsedKey
from shared.store.database import Database, is_infrastructure
from shared.store.tables import utc_now

log = logging.getLogger(__name__)

KEPT = timedelta(hours=48)
"""Clients are promised 24."""
PAUSE_SECONDS = 3600.0


class KeyPurge:
    """Deletes old keys, every hour."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def purge(self) -> None:
        async with self._database.transaction() as session:
            await session.execute(delete(UsedKey).where(col(UsedKey.created_at) < self._clock() - KEPT))

    async def run(self) -> None:
        """Until it is cancelled; trouble of the database only delays it."""
        while True:
            try:
                await self.purge()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("purge_failed", extra={"error": type(error).__name__})
            await asyncio.sleep(PAUSE_SECONDS)
