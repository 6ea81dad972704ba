"""A worker's database as the queue's memory: inbox, attempts and outbox, each in the right transaction."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from shared.events import Envelope
from shared.queue import REPEATED, AlreadyEndedError, Delivery, Verdict
from shared.queue.outcomes import PostponeError, RetryLaterError, reason_of
from shared.store.database import Database, is_infrastructure
from shared.store.runs import (
    attempt_row,
    count_failures,
    end_start,
    ended_row,
    has_ended,
    insert_inbox,
    is_run,
    record_attempt,
    take_turn,
    waited,
    was_counted,
)
from shared.store.statements import add_new
from shared.store.steps import Steps, stepping
from shared.store.tables import Attempt, Effort, Inbox, Outbox, Outcome
from shared.store.unit import Unit, working

log = logging.getLogger(__name__)

Doubt = Callable[[AsyncSession, Envelope], Awaitable[bool]]
"""Tells whether an effect of this event outside of the database may have happened unseen, or twice.

It looks at what the steps of its handler have stored, in this session, which may just have changed that.
"""


class SqlLedger:
    """Implements the queue's port `Ledger`.

    A run ends with its inbox row, and the first row is its only one: whoever comes later, a copy or
    a zombie, finds it and changes nothing.
    """

    def __init__(
        self,
        database: Database,
        *,
        source: str,
        on_commit: Callable[[Sequence[Outbox]], None] = lambda _: None,
        in_doubt: Doubt | None = None,
    ) -> None:
        """Works on this database.

        `source` names this service in what its work causes. `on_commit` hears of each commit that
        left something to send or to report. `in_doubt` is asked in each transaction that ends a run,
        however it ends: what it says is the event's `uncertain`.
        """
        self._database = database
        self._source = source
        self._on_commit = on_commit
        self._in_doubt = in_doubt

    @asynccontextmanager
    async def transaction(self, delivery: Delivery) -> AsyncGenerator[None]:
        async with self._last(delivery) as unit:
            with working(unit):
                yield

    @asynccontextmanager
    async def steps(self, delivery: Delivery) -> AsyncGenerator[None]:
        async with self._database.reading() as session:
            ended = await has_ended(session, delivery)
        if ended:
            async with self._last(delivery):  # raises: the row is there
                pass
        steps = Steps(delivery, step=self._step, last=self._last)
        with stepping(steps):
            yield
        if not steps.ended:
            async with steps.last():
                pass

    @asynccontextmanager
    async def _last(self, delivery: Delivery) -> AsyncGenerator[Unit]:
        """The transaction that ends a run as completed.

        The inbox row is inserted first, so that a copy waits for it and then finds it.
        """
        async with self._database.transaction() as session:
            if not await insert_inbox(session, ended_row(delivery, Outcome.COMPLETED)):
                verdict = await self._repeated(session, delivery)
                await session.commit()
                self._on_commit(())
                raise AlreadyEndedError(verdict)
            unit = self._unit(session, delivery)
            yield unit
            session.add_all(unit.caused)
            ended = {"ended_at": delivery.now(), "uncertain": await self._is_in_doubt(session, delivery)}
            await session.execute(update(Inbox).where(*is_run(Inbox, delivery)).values(ended))
            await end_start(session, delivery)
        self._on_commit(unit.caused)

    @asynccontextmanager
    async def _step(self, delivery: Delivery) -> AsyncGenerator[Unit]:
        """A transaction of a run that goes on."""
        async with self._database.transaction() as session:
            unit = self._unit(session, delivery)
            yield unit
            session.add_all(unit.caused)
        if unit.caused:
            self._on_commit(unit.caused)

    def _unit(self, session: AsyncSession, delivery: Delivery) -> Unit:
        assert delivery.envelope is not None  # noqa: S101 bytes that are no event have no handler
        return Unit(session, delivery.envelope, self._source, clock=delivery.now)

    async def begin_alone(self, delivery: Delivery) -> Verdict | None:
        """A start that nobody ended is a lost attempt, now that its owner is gone."""
        async with self._database.transaction() as session:
            await take_turn(session, delivery)
            if await has_ended(session, delivery):
                return await self._repeated(session, delivery)
            lost = (
                update(Attempt)
                .where(*is_run(Attempt, delivery), col(Attempt.effort) == Effort.STARTED)
                .where(
                    col(Attempt.delivery).startswith(delivery.entry_key),
                    col(Attempt.delivery) != delivery.key,
                )
                .values(
                    effort=Effort.LOST,
                    reason="lost",
                    error="the worker died, hung, or lost its lease",
                    ended_at=delivery.now(),
                    unreported=True,
                )
            )
            await session.execute(lost)
            failures = await count_failures(session, delivery)
            if failures >= delivery.limit:
                error = ValueError(f"lost {failures} times: it kills or hangs the worker that runs it")
                await self._insert_end(session, delivery, Outcome.DEAD, "lost", error)
                verdict = Verdict(Outcome.DEAD, reason="lost")
            else:
                await add_new(session, Attempt, attempt_row(delivery, Effort.STARTED))
                return None
        self._on_commit(())
        return verdict

    async def fail(self, delivery: Delivery, error: Exception) -> Verdict:
        async with self._database.transaction() as session:
            await take_turn(session, delivery)
            if await has_ended(session, delivery):
                return await self._repeated(session, delivery)
            failures = await count_failures(session, delivery)
            if not await was_counted(session, delivery):
                failures += 1
            reason = reason_of(error)
            delay = error.after if isinstance(error, RetryLaterError) else None
            delay = delay or delivery.policy.after_failure(failures)
            dead = failures >= delivery.limit
            attempt = attempt_row(delivery, Effort.FAILED, reason, error)
            attempt |= {"ended_at": delivery.now(), "unreported": True}
            attempt["retry_at"] = None if dead else delivery.now() + delay
            await record_attempt(session, attempt)
            if dead:
                await self._insert_end(session, delivery, Outcome.DEAD, reason, error)
        self._on_commit(())
        return Verdict(Outcome.DEAD, reason=reason) if dead else Verdict(Effort.FAILED, delay, reason)

    async def postpone(self, delivery: Delivery, error: PostponeError) -> Verdict:
        async with self._database.transaction() as session:
            await take_turn(session, delivery)
            if await has_ended(session, delivery):
                return await self._repeated(session, delivery)
            now = delivery.now()
            so_far = await waited(session, delivery, error.reason)
            if so_far > (error.at_most or delivery.policy.postponed_at_most):
                await self._insert_end(session, delivery, Outcome.DEAD, error.reason, error)
                await end_start(session, delivery)
                verdict = Verdict(Outcome.DEAD, reason=error.reason)
            else:
                delay = delivery.policy.after_postponement(so_far)
                attempt = attempt_row(delivery, Effort.POSTPONED, error.reason, error)
                attempt |= {"ended_at": now, "retry_at": now + delay, "unreported": True, "traceback": None}
                await record_attempt(session, attempt)
                verdict = Verdict(Effort.POSTPONED, delay, error.reason)
        self._on_commit(())
        return verdict

    async def bury(self, delivery: Delivery, reason: str, error: Exception) -> Verdict:
        return await self._end(delivery, Outcome.DEAD, reason, error)

    async def expire(self, delivery: Delivery) -> Verdict:
        return await self._end(delivery, Outcome.EXPIRED)

    async def ping(self) -> None:
        await self._database.ping()

    def is_infrastructure(self, error: BaseException) -> bool:
        """Redis in a handler's way counts as well: what is down burns no attempt."""
        redis = isinstance(error, RedisConnectionError | RedisTimeoutError)
        return redis or is_infrastructure(error)

    async def _end(
        self, delivery: Delivery, outcome: Outcome, reason: str | None = None, error: Exception | None = None
    ) -> Verdict:
        async with self._database.transaction() as session:
            if not await self._insert_end(session, delivery, outcome, reason, error):
                return await self._repeated(session, delivery)
            await end_start(session, delivery)
        self._on_commit(())
        return Verdict(outcome, reason=reason)

    async def _insert_end(
        self,
        session: AsyncSession,
        delivery: Delivery,
        outcome: Outcome,
        reason: str | None,
        error: Exception | None,
    ) -> bool:
        row = ended_row(delivery, outcome, reason, error)
        row["uncertain"] = await self._is_in_doubt(session, delivery)
        return await insert_inbox(session, row)

    async def _is_in_doubt(self, session: AsyncSession, delivery: Delivery) -> bool:
        if self._in_doubt is None or delivery.envelope is None:
            return False
        return await self._in_doubt(session, delivery.envelope)

    async def _repeated(self, session: AsyncSession, delivery: Delivery) -> Verdict:
        """The outcome is due for the hand-over again: the gateway may have lost it.

        Or it has become uncertain, where this copy went on after another one had ended the run.

        The same id with another body is no copy but a conflict: it is kept as a dead letter of its own, and
        called dead once, when it is first met.
        """
        again = (
            update(Inbox).where(*is_run(Inbox, delivery)).values(unreported=True).returning(col(Inbox.digest))
        )
        digest = (await session.execute(again)).scalar_one_or_none()
        if digest is not None and digest != delivery.digest:
            error = ValueError(f"{delivery.event_id} was handled before, with another body")
            row = ended_row(delivery, Outcome.DEAD, "id_conflict", error)
            if await insert_inbox(session, row | {"event_id": delivery.place, "run": 0}):
                return Verdict(Outcome.DEAD, reason="id_conflict")
        elif await self._is_in_doubt(session, delivery):
            await session.execute(update(Inbox).where(*is_run(Inbox, delivery)).values(uncertain=True))
        return REPEATED
