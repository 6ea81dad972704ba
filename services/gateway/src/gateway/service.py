"""Publishing: what a client sends becomes an entry of the journal, once."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from gateway.domain import Entry, IdempotencyKey, KeyReusedError, Result, Submission, fingerprint_of
from gateway.ports import Journal
from gateway.publication import read_entry
from shared.service.keys import Principal
from shared.service.problem import Kind, Problem, ProblemBody

PATIENCE_SECONDS = 10.0
"""How long a request waits for another one with its key."""


class Publishing:
    """Takes events from clients. An answer means that its events are committed."""

    def __init__(
        self, journal: Journal, *, clock: Callable[[], datetime], patience: float = PATIENCE_SECONDS
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._under_way = _KeysUnderWay(patience)

    async def publish(self, value: Any, principal: Principal, key: str | None) -> Result:
        """One event.

        Raises:
            Problem: whatever is wrong with it; 409 or 422 where the key does not allow it.
        """
        entry = read_entry(value, principal, self._clock())
        (result,) = await self._append([entry], value, principal, key)
        return result

    async def publish_batch(
        self, values: list[Any], principal: Principal, key: str | None
    ) -> Sequence[Result]:
        """Many events in one commit, each judged by itself; answers for each, in order.

        Raises:
            Problem: 409 or 422 where the key does not allow it.
        """
        now = self._clock()
        parts: list[Entry | ProblemBody] = []
        for value in values:
            parts.append(_entry_or_problem(value, principal, now))
            await asyncio.sleep(0)  # a thousand of them must not hold up everybody else
        return await self._append(parts, values, principal, key)

    async def _append(
        self, parts: Sequence[Entry | ProblemBody], value: Any, principal: Principal, key: str | None
    ) -> Sequence[Result]:
        if key is None:
            return await self._journal.append(Submission(parts, fingerprint=""))
        name = IdempotencyKey(principal.name, key)
        async with self._under_way.alone(name):
            try:
                return await self._journal.append(Submission(parts, fingerprint_of(value), name))
            except KeyReusedError:
                raise Problem(Kind.KEY_REUSED) from None


class _KeysUnderWay:
    """Lets one request at a time use a key; the others wait for a while."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._locks: defaultdict[IdempotencyKey, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._users: Counter[IdempotencyKey] = Counter()

    @asynccontextmanager
    async def alone(self, key: IdempotencyKey) -> AsyncGenerator[None]:
        self._users[key] += 1
        try:
            lock = self._locks[key]
            try:
                async with asyncio.timeout(self._patience):
                    await lock.acquire()
            except TimeoutError:
                raise Problem(Kind.KEY_IN_USE, headers={"Retry-After": "1"}) from None
            try:
                yield
            finally:
                lock.release()
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]


def _entry_or_problem(value: Any, principal: Principal, now: datetime) -> Entry | ProblemBody:
    try:
        return read_entry(value, principal, now)
    except Problem as problem:
        return problem.body
