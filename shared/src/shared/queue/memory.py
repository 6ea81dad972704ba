"""A ledger in memory: for tests of handlers and for measurements, where nothing has to survive."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from shared.queue.ledger import REPEATED, AlreadyEndedError, Delivery, Verdict
from shared.queue.outcomes import PostponeError, RetryLaterError, reason_of


class MemoryLedger:
    """Implements the port `Ledger` for one process."""

    def __init__(self) -> None:
        self.ended: dict[tuple[str, int], str] = {}
        self.reasons: dict[tuple[str, int], str] = {}
        self.failures: dict[tuple[str, int], int] = defaultdict(int)
        self._began: set[tuple[str, int]] = set()
        self._running: dict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waited: dict[tuple[str, int, str], timedelta] = defaultdict(timedelta)

    @asynccontextmanager
    async def transaction(self, delivery: Delivery) -> AsyncGenerator[None]:
        job = (delivery.event_id, delivery.run)
        async with self._running[job]:  # a copy waits for the first, as it does for a row in a database
            if job in self.ended:
                raise AlreadyEndedError
            yield
            self.ended[job] = "completed"

    @asynccontextmanager
    async def steps(self, delivery: Delivery) -> AsyncGenerator[None]:
        """The same: in memory there is no transaction that could be held."""
        async with self.transaction(delivery):
            yield

    async def begin_alone(self, delivery: Delivery) -> Verdict | None:
        job = (delivery.event_id, delivery.run)
        if job in self.ended:
            return REPEATED
        if job in self._began:
            self.failures[job] += 1
        self._began.add(job)
        if self.failures[job] >= delivery.limit:
            return self._end(delivery, "dead", "lost")
        return None

    async def fail(self, delivery: Delivery, error: Exception) -> Verdict:
        job = (delivery.event_id, delivery.run)
        self._began.discard(job)
        self.failures[job] += 1
        if self.failures[job] >= delivery.limit:
            return self._end(delivery, "dead", reason_of(error))
        delay = error.after if isinstance(error, RetryLaterError) else None
        delay = delay or delivery.policy.after_failure(self.failures[job])
        return Verdict("failed", delay, reason_of(error))

    async def postpone(self, delivery: Delivery, error: PostponeError) -> Verdict:
        wait = (delivery.event_id, delivery.run, error.reason)
        if self._waited[wait] > (error.at_most or delivery.policy.postponed_at_most):
            return self._end(delivery, "dead", error.reason)
        delay = delivery.policy.after_postponement(self._waited[wait])
        self._waited[wait] += delay
        return Verdict("postponed", delay, error.reason)

    async def bury(self, delivery: Delivery, reason: str, error: Exception) -> Verdict:  # noqa: ARG002 the port's
        return self._end(delivery, "dead", reason)

    async def expire(self, delivery: Delivery) -> Verdict:
        return self._end(delivery, "expired", "")

    async def ping(self) -> None:
        """It always can."""

    def is_infrastructure(self, error: BaseException) -> bool:
        return isinstance(error, ConnectionError)

    def _end(self, delivery: Delivery, outcome: str, reason: str) -> Verdict:
        self.ended[delivery.event_id, delivery.run] = outcome
        self.reasons[delivery.event_id, delivery.run] = reason
        return Verdict(outcome, reason=reason or None)
