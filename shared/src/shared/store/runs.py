"""One run of an event, as rows of inbox and attempts: how they are made, written once, and counted."""

import traceback
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from shared.queue import Delivery
from shared.store.statements import add_new, upsert
from shared.store.tables import Attempt, Effort, Inbox, Outcome

ERROR_CHARACTERS = 2_000
TRACEBACK_CHARACTERS = 16_000
RAW_BYTES = 16 * 1024 * 1024
"""What is kept of a dead letter: sixty times what the gateway takes for an event."""


def ended_row(
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
        "unreported": True,
    }


def attempt_row(
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


def is_run(table: type[Inbox | Attempt], delivery: Delivery) -> Iterable[Any]:
    return col(table.event_id) == delivery.event_id, col(table.run) == delivery.run


def _is_started(delivery: Delivery) -> Iterable[Any]:
    started = col(Attempt.effort) == Effort.STARTED
    return (*is_run(Attempt, delivery), col(Attempt.delivery) == delivery.key, started)


async def insert_inbox(session: AsyncSession, row: dict[str, Any]) -> bool:
    return await add_new(session, Inbox, row)


async def record_attempt(session: AsyncSession, attempt: dict[str, Any]) -> None:
    """Ends the attempt of this delivery; one that was declared lost meanwhile stays lost."""
    await upsert(session, Attempt, [attempt], where=col(Attempt.effort) == Effort.STARTED)


async def take_turn(session: AsyncSession, delivery: Delivery) -> None:
    """Copies of a run are counted one after the other; on SQLite all that writes is."""
    if session.get_bind().dialect.name == "postgresql":
        key = func.hashtextextended(f"{delivery.event_id}:{delivery.run}", 0)
        await session.execute(select(func.pg_advisory_xact_lock(key)))


async def end_start(session: AsyncSession, delivery: Delivery) -> None:
    """A suspect's start is over once its run has ended."""
    if delivery.suspect:
        ended = update(Attempt).where(*_is_started(delivery)).values(effort=Effort.ENDED)
        await session.execute(ended)


async def has_ended(session: AsyncSession, delivery: Delivery) -> bool:
    return (await session.execute(select(col(Inbox.run)).where(*is_run(Inbox, delivery)))).first() is not None


async def was_counted(session: AsyncSession, delivery: Delivery) -> bool:
    """Whether this very delivery was declared lost by whoever took it over."""
    lost = (
        select(col(Attempt.run))
        .where(*is_run(Attempt, delivery))
        .where(col(Attempt.delivery) == delivery.key)
    )
    return (
        await session.execute(lost.where(col(Attempt.effort).in_([Effort.LOST, Effort.FAILED])))
    ).first() is not None


async def count_failures(session: AsyncSession, delivery: Delivery) -> int:
    """How many attempts of this run failed or were lost."""
    counted = col(Attempt.effort).in_([Effort.FAILED, Effort.LOST])
    failures = select(func.count()).select_from(Attempt).where(*is_run(Attempt, delivery), counted)
    return (await session.execute(failures)).scalar_one()


async def waited(session: AsyncSession, delivery: Delivery, reason: str) -> timedelta:
    """How long this run was made to wait for this reason.

    Each reason has a patience of its own, and time in which nobody tried (a worker was down, something
    else was in the way) is not held against the event.
    """
    postponed = (col(Attempt.effort) == Effort.POSTPONED, col(Attempt.reason) == reason)
    waits = select(col(Attempt.ended_at), col(Attempt.retry_at)).where(*is_run(Attempt, delivery), *postponed)
    rows = (await session.execute(waits)).all()
    return sum((again - ended for ended, again in rows if ended and again), timedelta())
