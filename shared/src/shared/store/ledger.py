"""A worker's database as the queue's memory: inbox, attempts and outbox, each in the right transaction."""

import logging
import traceback
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from shared.queue import AlreadyEndedError, Delivery, Verdict
from shared.queue.outcomes import HandlingError, PostponeError, RetryLaterError
from shared.store.database import Database, is_infrastructure
from shared.store.statements import insert_into
from shared.store.steps import Steps, stepping
from shared.store.tables import Attempt, Effort, Inbox, Outbox, Outcome
from shared.store.unit import Unit, working

log = logging.getLogger(__name__)

ERROR_CHARACTERS = 2_000
TRACEBACK_CHARACTERS = 16_000
RAW_BYTES = 16 * 1024 * 1024
"""What is kept of a dead letter: sixty times what the gateway takes for an event."""


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
    ) -> None:
        """Works on this database.

        `source` names this service in what its work causes. `on_commit` hears of each commit that
        left something to send or to report.
        """
        self._database = database
        self._source = source
        self._on_commit = on_commit

    @asynccontextmanager
    async def transaction(self, delivery: Delivery) -> AsyncGenerator[None]:
        async with self._last(delivery) as unit:
            with working(unit):
                yield

    @asynccontextmanager
    async def steps(self, delivery: Delivery) -> AsyncGenerator[None]:
        async with self._database.reading() as session:
            ended = await _has_ended(session, delivery)
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
            if not await _insert_inbox(session, _ended(delivery, Outcome.COMPLETED)):
                await self._repeated(session, delivery)
                await session.commit()
                self._on_commit(())
                raise AlreadyEndedError
            unit = self._unit(session, delivery)
            yield unit
            session.add_all(unit.caused)
            ended = {"ended_at": delivery.now(), "uncertain": unit.uncertain}
            await session.execute(update(Inbox).where(*_is_run(Inbox, delivery)).values(ended))
            await _end_start(session, delivery)
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
        return Unit(session, delivery.envelope, self._source)

    async def begin_alone(self, delivery: Delivery) -> Verdict | None:
        """A start that nobody ended is a lost attempt, now that its owner is gone."""
        async with self._database.transaction() as session:
            await _take_turn(session, delivery)
            if await _has_ended(session, delivery):
                return await self._repeated(session, delivery)
            lost = (
                update(Attempt)
                .where(*_is_run(Attempt, delivery), col(Attempt.effort) == Effort.STARTED)
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
            failures = await _failures(session, delivery)
            if failures >= delivery.limit:
                error = ValueError(f"lost {failures} times: it kills or hangs the worker that runs it")
                await _insert_inbox(session, _ended(delivery, Outcome.DEAD, "lost", error))
                verdict = Verdict(Outcome.DEAD, reason="lost")
            else:
                await _insert(session, Attempt, [_attempt(delivery, Effort.STARTED)])
                return None
        self._on_commit(())
        return verdict

    async def fail(self, delivery: Delivery, error: Exception) -> Verdict:
        async with self._database.transaction() as session:
            await _take_turn(session, delivery)
            if await _has_ended(session, delivery):
                return await self._repeated(session, delivery)
            failures = await _failures(session, delivery)
            if not await _was_counted(session, delivery):
                failures += 1
            reason = error.reason if isinstance(error, HandlingError) else type(error).__name__
            delay = error.after if isinstance(error, RetryLaterError) else None
            delay = delay or delivery.policy.after_failure(failures)
            dead = failures >= delivery.limit
            attempt = _attempt(delivery, Effort.FAILED, reason, error)
            attempt |= {"ended_at": delivery.now(), "unreported": True}
            attempt["retry_at"] = None if dead else delivery.now() + delay
            await _record(session, attempt)
            if dead:
                await _insert_inbox(session, _ended(delivery, Outcome.DEAD, reason, error))
        self._on_commit(())
        return Verdict(Outcome.DEAD, reason=reason) if dead else Verdict(Effort.FAILED, delay, reason)

    async def postpone(self, delivery: Delivery, error: Exception) -> Verdict:
        reason = error.reason if isinstance(error, HandlingError) else type(error).__name__
        async with self._database.transaction() as session:
            await _take_turn(session, delivery)
            if await _has_ended(session, delivery):
                return await self._repeated(session, delivery)
            now = delivery.now()
            so_far = await _waited(session, delivery, reason)
            patience = error.at_most if isinstance(error, PostponeError) else None
            if so_far > (patience or delivery.policy.postponed_at_most):
                await _insert_inbox(session, _ended(delivery, Outcome.DEAD, reason, error))
                await _end_start(session, delivery)
                verdict = Verdict(Outcome.DEAD, reason=reason)
            else:
                delay = delivery.policy.after_postponement(so_far)
                attempt = _attempt(delivery, Effort.POSTPONED, reason, error)
                attempt |= {"ended_at": now, "retry_at": now + delay, "unreported": True, "traceback": None}
                await _record(session, attempt)
                verdict = Verdict(Effort.POSTPONED, delay, reason)
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
            if not await _insert_inbox(session, _ended(delivery, outcome, reason, error)):
                return await self._repeated(session, delivery)
            await _end_start(session, delivery)
        self._on_commit(())
        return Verdict(outcome, reason=reason)

    async def _repeated(self, session: AsyncSession, delivery: Delivery) -> Verdict:
        """The outcome is due for the hand-over again: the gateway may have lost it.

        The same id with another body is no copy but a conflict: it is kept as a dead letter of its own.
        """
        again = (
            update(Inbox)
            .where(*_is_run(Inbox, delivery))
            .values(unreported=True)
            .returning(col(Inbox.digest))
        )
        digest = (await session.execute(again)).scalar_one_or_none()
        if digest is not None and digest != delivery.digest:
            error = ValueError(f"{delivery.event_id} was handled before, with another body")
            row = _ended(delivery, Outcome.DEAD, "id_conflict", error)
            await _insert_inbox(session, row | {"event_id": delivery.place, "run": 0})
        return Verdict("repeated")


def _ended(
    delivery: Delivery, outcome: Outcome, reason: str | None = None, error: Exception | None = None
) -> dict[str, Any]:
    """The inbox row of this delivery's run."""
    envelope = delivery.envelope
    return {
        "event_id": delivery.event_id,
        "run": delivery.run,
        "type": envelope.type if envelope else "",
        "outcome": outcome.value,
        "digest": delivery.digest,
        "worker": delivery.worker,
        "started_at": delivery.started_at,
        "ended_at": delivery.now(),
        "reason": reason,
        "error": _text(error),
        "traceback": _traceback(error),
        "raw": delivery.raw[:RAW_BYTES] if outcome is Outcome.DEAD else None,
        "correlation_id": envelope.correlation_id if envelope else None,
        "uncertain": isinstance(error, HandlingError) and error.uncertain,
        "unreported": True,
    }


def _attempt(
    delivery: Delivery, effort: Effort, reason: str | None = None, error: Exception | None = None
) -> dict[str, Any]:
    return {
        "event_id": delivery.event_id,
        "run": delivery.run,
        "delivery": delivery.key,
        "effort": effort.value,
        "worker": delivery.worker,
        "started_at": delivery.started_at,
        "reason": reason,
        "error": _text(error),
        "traceback": _traceback(error),
        "unreported": False,
    }


def _text(error: Exception | None) -> str | None:
    if error is None:
        return None
    try:
        return _storable(str(error))[:ERROR_CHARACTERS]
    except Exception:  # noqa: BLE001 an error that cannot tell itself is still an error
        return type(error).__name__


def _traceback(error: Exception | None) -> str | None:
    if error is None or error.__traceback__ is None:
        return None
    return _storable("".join(traceback.format_exception(error)))[-TRACEBACK_CHARACTERS:]


def _storable(text: str) -> str:
    """Without what PostgreSQL refuses in a text: NUL and lone surrogates."""
    return text.replace("\x00", "").encode(errors="replace").decode()


def _is_run(table: type[Inbox | Attempt], delivery: Delivery) -> Iterable[Any]:
    return col(table.event_id) == delivery.event_id, col(table.run) == delivery.run


def _is_started(delivery: Delivery) -> Iterable[Any]:
    started = col(Attempt.effort) == Effort.STARTED
    return (*_is_run(Attempt, delivery), col(Attempt.delivery) == delivery.key, started)


async def _insert(
    session: AsyncSession, table: type[Inbox | Attempt], rows: Sequence[dict[str, Any]]
) -> bool:
    """Whether a row was inserted. RETURNING, because the row count of such an insert is not to be trusted."""
    statement = (
        insert_into(session, table).values(rows).on_conflict_do_nothing().returning(col(table.event_id))
    )
    return (await session.execute(statement)).first() is not None


async def _insert_inbox(session: AsyncSession, row: dict[str, Any]) -> bool:
    return await _insert(session, Inbox, [row])


async def _record(session: AsyncSession, attempt: dict[str, Any]) -> None:
    """Ends the attempt of this delivery; one that was declared lost meanwhile stays lost."""
    insert = insert_into(session, Attempt).values(attempt)
    keys = ["event_id", "run", "delivery"]
    changed = {name: value for name, value in attempt.items() if name not in keys}
    await session.execute(
        insert.on_conflict_do_update(
            index_elements=keys, set_=changed, where=col(Attempt.effort) == Effort.STARTED
        )
    )


async def _take_turn(session: AsyncSession, delivery: Delivery) -> None:
    """Copies of a run are counted one after the other; on SQLite all that writes is."""
    if session.get_bind().dialect.name == "postgresql":
        key = func.hashtextextended(f"{delivery.event_id}:{delivery.run}", 0)
        await session.execute(select(func.pg_advisory_xact_lock(key)))


async def _end_start(session: AsyncSession, delivery: Delivery) -> None:
    """A suspect's start is over once its run has ended."""
    if delivery.suspect:
        ended = update(Attempt).where(*_is_started(delivery)).values(effort=Effort.COMPLETED)
        await session.execute(ended)


async def _has_ended(session: AsyncSession, delivery: Delivery) -> bool:
    return (
        await session.execute(select(col(Inbox.run)).where(*_is_run(Inbox, delivery)))
    ).first() is not None


async def _was_counted(session: AsyncSession, delivery: Delivery) -> bool:
    """Whether this very delivery was declared lost by whoever took it over."""
    lost = (
        select(col(Attempt.run))
        .where(*_is_run(Attempt, delivery))
        .where(col(Attempt.delivery) == delivery.key)
    )
    return (
        await session.execute(lost.where(col(Attempt.effort).in_([Effort.LOST, Effort.FAILED])))
    ).first() is not None


async def _failures(session: AsyncSession, delivery: Delivery) -> int:
    """How many attempts of this run failed or were lost."""
    counted = col(Attempt.effort).in_([Effort.FAILED, Effort.LOST])
    failures = select(func.count()).select_from(Attempt).where(*_is_run(Attempt, delivery), counted)
    return (await session.execute(failures)).scalar_one()


async def _waited(session: AsyncSession, delivery: Delivery, reason: str) -> timedelta:
    """How long this run was made to wait for this reason.

    Each reason has a patience of its own, and time in which nobody tried (a worker was down, something
    else was in the way) is not held against the event.
    """
    postponed = (col(Attempt.effort) == Effort.POSTPONED, col(Attempt.reason) == reason)
    waits = select(col(Attempt.ended_at), col(Attempt.retry_at)).where(
        *_is_run(Attempt, delivery), *postponed
    )
    rows = (await session.execute(waits)).all()
    return sum((again - ended for ended, again in rows if ended and again), timedelta())
