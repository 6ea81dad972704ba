"""API keys: who holds one, as the database says."""

import hmac
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import update
from sqlmodel import col

from gateway.adapters.tables import ApiKey
from shared.service.keys import SCOPES, Principal, Remembered, hash_of, is_same_key
from shared.store.database import Database
from shared.store.statements import upsert
from shared.store.tables import utc_now

SERVICE = "service"
"""The scope of the workers' own key, and of no other."""

REMEMBER_SECONDS = 3.0
"""A revoked key works for so long."""


class ApiKeys:
    """The gateway's authenticator."""

    def __init__(
        self, database: Database, *, service_key: str, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._service_key = service_key
        self._clock = clock
        self._remembered = Remembered(self._look_up, seconds=REMEMBER_SECONDS)

    async def principal(self, key: str) -> Principal | None:
        if is_same_key(self._service_key, key):
            return Principal("service", frozenset({SERVICE}))
        return await self._remembered.principal(key)

    async def _look_up(self, key: str) -> Principal | None:
        hashed = hash_of(key)
        async with self._database.reading() as session:
            row = await session.get(ApiKey, hashed)
        if row is None or not hmac.compare_digest(row.hash, hashed) or not self._is_live(row):
            return None
        return Principal(row.name, frozenset(row.scopes.split()))

    async def admit_admin(self, key: str) -> None:
        """Gives this key all scopes under the name `admin`, and revokes the one that had that name before."""
        now, hashed = self._clock(), hash_of(key)
        row = {
            "hash": hashed,
            "name": "admin",
            "scopes": " ".join(SCOPES),
            "created_at": now,
            "expires_at": None,
            "revoked_at": None,
        }
        async with self._database.transaction() as session:
            older = update(ApiKey).where(col(ApiKey.name) == "admin", col(ApiKey.hash) != hashed)
            await session.execute(older.where(col(ApiKey.revoked_at).is_(None)).values(revoked_at=now))
            await upsert(session, ApiKey, [row])

    def _is_live(self, row: ApiKey) -> bool:
        return row.revoked_at is None and (row.expires_at is None or row.expires_at > self._clock())
