"""How the whole system is: every service, Redis and the database, asked at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol, cast

from pydantic import BaseModel, ConfigDict

log = logging.getLogger(__name__)

WITHIN_SECONDS = 2.0

_STATUSES = {"ok", "degraded", "down", "disabled"}


Ping = Callable[[], Awaitable[Any]]
"""Asks a server whether it is there: returns if it is, raises otherwise."""


class Services(Protocol):
    """The services that this start runs besides the gateway."""

    @property
    def names(self) -> tuple[str, ...]: ...

    async def health(self, service: str) -> object:
        """What its /health says as JSON, or raises; whoever asks limits the time."""
        ...


class PartHealth(BaseModel):
    """How one part is, and what else it says of itself."""

    model_config = ConfigDict(extra="allow")

    status: Literal["ok", "degraded", "down", "disabled"]


class SystemHealth(BaseModel):
    """How all parts are. `down`: no event can be accepted. A disabled service is no trouble."""

    status: Literal["ok", "degraded", "down"]
    services: dict[str, PartHealth]
    redis: PartHealth
    database: PartHealth


class HealthCheck:
    """Asks every part, with a time limit for each."""

    def __init__(
        self, services: Services, redis: Ping, database: Ping, *, within: float = WITHIN_SECONDS
    ) -> None:
        self._services = services
        self._redis = redis
        self._database = database
        self._within = within

    async def look(self) -> SystemHealth:
        """Takes no longer than one time limit, and never raises."""
        names = self._services.names
        redis, database, *others = await asyncio.gather(
            self._limited(_pinged(self._redis)),
            self._limited(_pinged(self._database)),
            *map(self._of_service, names),
        )
        services = {"gateway": PartHealth(status=database.status), **dict(zip(names, others, strict=True))}
        troubled = any(part.status in {"degraded", "down"} for part in (redis, *others))
        status = "down" if database.status == "down" else "degraded" if troubled else "ok"
        return SystemHealth(status=status, services=services, redis=redis, database=database)

    async def _of_service(self, name: str) -> PartHealth:
        return await self._limited(self._asked(name))

    async def _asked(self, name: str) -> PartHealth:
        said = await self._services.health(name)
        if isinstance(said, dict) and cast("dict[str, Any]", said).get("status") in _STATUSES:
            return PartHealth.model_validate(said)
        return PartHealth(status="down")

    async def _limited(self, question: Awaitable[PartHealth]) -> PartHealth:
        try:
            async with asyncio.timeout(self._within):
                return await question
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a part, it is down
            log.debug("part_down", extra={"error": type(error).__name__})
            return PartHealth(status="down")


async def _pinged(ping: Ping) -> PartHealth:
    await ping()
    return PartHealth(status="ok")
