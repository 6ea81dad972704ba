"""Who is asking, and what they may: API keys, scopes, and the policy that every route states.

A key is sent as `Authorization: Bearer <key>`. A policy is the first dependency of its route, so 401 and
403 are answered before anything else of a request is looked at.
"""

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Protocol, cast

import httpx
from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ValidationError

from shared.service.problem import Kind, Problem, unavailable

SCOPES = ("events:write", "events:read", "admin:read", "admin:write", "keys")
"""Every scope; `events:write:<TYPE>` narrows the first to one event type."""

PRINCIPAL_PATH = "/internal/v1/principal"
_KEY = re.compile(r"[\x21-\x7e]{1,256}")
"""What a key can look like at all."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever holds a key."""

    name: str
    scopes: frozenset[str]

    def may(self, *scopes: str) -> bool:
        """Whether one of these is granted; `events:write:*` asks for any that begins so."""
        return any(
            any(granted.startswith(scope[:-1]) for granted in self.scopes)
            if scope.endswith("*")
            else scope in self.scopes
            for scope in scopes
        )


class PrincipalBody(BaseModel):
    """A principal as the gateway tells it."""

    name: str
    scopes: list[str]


class Authenticator(Protocol):
    """Finds the holder of a key; an application has one in `app.state.authenticator`."""

    async def principal(self, key: str) -> Principal | None:
        """Who holds this key, None if nobody does.

        Raises:
            Problem: 503 while that cannot be known.
        """
        ...


_bearer = HTTPBearer(auto_error=False, description="An API key")


class Policy:
    """Who may use a route: whoever holds a valid key with one of `scopes`; without scopes, with any."""

    def __init__(self, *scopes: str) -> None:
        self.scopes = scopes

    async def __call__(
        self,
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
    ) -> Principal:
        key = credentials.credentials if credentials else ""
        if not _KEY.fullmatch(key):
            raise _unauthenticated()
        authenticator = cast("Authenticator", request.app.state.authenticator)
        principal = await authenticator.principal(key)
        if principal is None:
            raise _unauthenticated()
        if self.scopes and not principal.may(*self.scopes):
            raise Problem(Kind.FORBIDDEN, headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
        return principal


def hash_of(key: str) -> str:
    """What is kept of a key. Keys are long and random, so a fast hash is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_same_key(key: str, other: str) -> bool:
    """Compares in a time that tells nothing about how far they agree; no key equals nothing."""
    return bool(key) and hmac.compare_digest(hash_of(key), hash_of(other))


class Remembered:
    """Asks who holds a key, and remembers the answer for some seconds; a bounded number, and never the keys.

    Requests that come with one key at the same time ask once. That a key is nobody's is not remembered.
    """

    def __init__(
        self,
        ask: Callable[[str], Coroutine[None, None, Principal | None]],
        *,
        seconds: float,
        most: int = 1_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._known: dict[str, tuple[Principal, float]] = {}
        self._asked: dict[str, asyncio.Task[Principal | None]] = {}

    async def principal(self, key: str) -> Principal | None:
        """Who holds the key, None if nobody does. Raises what asking raises."""
        hashed = hash_of(key)
        principal, until = self._known.get(hashed, (None, 0.0))
        if principal and self._clock() < until:
            return principal
        if hashed not in self._asked:
            self._asked[hashed] = asyncio.create_task(self._ask_and_remember(key, hashed))
        return await asyncio.shield(self._asked[hashed])

    async def _ask_and_remember(self, key: str, hashed: str) -> Principal | None:
        try:
            principal = await self._ask(key)
        finally:
            del self._asked[hashed]
        if principal:
            if len(self._known) >= self._most:
                self._known.clear()
            self._known[hashed] = (principal, self._clock() + self._seconds)
        return principal


class GatewayKeys:
    """The authenticator of a worker: the service key is the gateway itself, other keys it is asked about."""

    def __init__(self, service_key: str, gateway: httpx.AsyncClient, *, remember: float = 30.0) -> None:
        """`gateway` has the gateway's address as its base URL, and time limits; it stays the caller's."""
        self._service_key = service_key
        self._gateway = gateway
        self._remembered = Remembered(self._ask, seconds=remember)

    async def principal(self, key: str) -> Principal | None:
        if is_same_key(self._service_key, key):
            return Principal("gateway", frozenset(SCOPES))
        return await self._remembered.principal(key)

    async def _ask(self, key: str) -> Principal | None:
        try:
            answer = await self._gateway.get(PRINCIPAL_PATH, headers={"Authorization": f"Bearer {key}"})
            if answer.status_code == HTTPStatus.UNAUTHORIZED:
                return None
            answer.raise_for_status()
            body = PrincipalBody.model_validate_json(answer.content)
        except (httpx.HTTPError, ValidationError):
            raise unavailable("the gateway cannot be asked about this key") from None
        return Principal(body.name, frozenset(body.scopes))


def _unauthenticated() -> Problem:
    return Problem(Kind.UNAUTHENTICATED, headers={"WWW-Authenticate": "Bearer"})
