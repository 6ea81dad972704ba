"""What workers hand over: events that they caused, tries, outcomes. The journal is their next owner."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.adapters.tables import DeadLetter, JournalAttempt, JournalRow
from shared.store.database import Database
from shared.store.reports import AttemptReport, EventReport, HandOverBatch, OutcomeReport
from shared.store.statements import UNSYNCED, insert_new, lock_in_order, update_each, upsert
from shared.store.tables import Effort, Outcome, utc_now

Columns = dict[str, Any]


class TakeOver:
    """Commits a batch as a whole; the same batch again changes nothing.

    An outcome ends only the run that it belongs to, and only while that run is open. For an event that
    the journal does not know yet, it begins the row, ended; the event fills that row in when it comes.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def take(self, batch: HandOverBatch) -> None:
        """Two batches never wait for each other, whatever they have in common.

        Each kind of row is written, or locked, in one go and in the order of its keys: first the events
        that are new, then those that are known, then tries, then dead letters. What follows touches only
        rows that are this transaction's by then.
        """
        now = self._clock()
        events = sorted(batch.events, key=lambda report: report.id)
        outcomes = sorted(batch.outcomes, key=lambda report: (report.event_id, report.run))
        dead = [_dead_letter(report) for report in outcomes if report.outcome == Outcome.DEAD]
        touched = {report.id for report in events}
        touched |= {report.event_id for report in (*batch.attempts, *outcomes)}
        async with self._database.transaction() as session:
            new = await _begin_rows(session, events, outcomes, now)
            await lock_in_order(session, JournalRow, touched)
            await _add_tries(session, batch.attempts, outcomes)
            await insert_new(session, DeadLetter, dead, "event_id")
            await _fill_rows(session, [report for report in events if report.id not in new])
            begun = new - {report.id for report in events}
            await _end_runs(session, [report for report in outcomes if report.event_id not in begun])
            await _count_attempts(session, sorted(touched))


async def _begin_rows(
    session: AsyncSession, events: Sequence[EventReport], outcomes: Sequence[OutcomeReport], now: datetime
) -> set[str]:
    """Inserts what the journal does not know yet, and answers which events that were.

    Of an event that comes together with its outcome, the event begins the row.
    """
    rows = {report.event_id: _row_begun_by(report, now) for report in reversed(outcomes)}
    rows |= {report.id: _row_of(report, now) for report in events}
    return set(await insert_new(session, JournalRow, [rows[event_id] for event_id in sorted(rows)], "id"))


async def _add_tries(
    session: AsyncSession, attempts: Sequence[AttemptReport], outcomes: Sequence[OutcomeReport]
) -> None:
    """Where a failed try and the end that it brought are one, the failed one counts."""
    failed = _distinct(map(_failed_try, attempts))
    await insert_new(session, JournalAttempt, _distinct([*_last_tries(outcomes), *failed]), "event_id")
    await upsert(session, JournalAttempt, failed)


async def _fill_rows(session: AsyncSession, reports: Sequence[EventReport]) -> None:
    late = [
        {"its_id": report.id, "filled": True, **report.model_dump(exclude={"id", "run", "sent_epoch"})}
        for report in reports
    ]
    await update_each(session, JournalRow, lambda c: and_(c.id == bindparam("its_id"), ~c.filled), late)


async def _end_runs(session: AsyncSession, reports: Sequence[OutcomeReport]) -> None:
    def is_run(columns: Any) -> ColumnElement[bool]:
        return and_(columns.id == bindparam("its_id"), columns.run == bindparam("its_run"))

    runs = [{"its_id": report.event_id, "its_run": report.run} for report in reports]
    ends = [run | _end_of(report) for run, report in zip(runs, reports, strict=True)]
    await update_each(session, JournalRow, lambda c: and_(is_run(c), c.open), ends)
    doubtful = [
        run | {"uncertain": True} for run, report in zip(runs, reports, strict=True) if report.uncertain
    ]
    await update_each(session, JournalRow, is_run, doubtful)


async def _count_attempts(session: AsyncSession, ids: Sequence[str]) -> None:
    """Brings what the journal says of the tries of its current runs up to date with their rows."""
    if not ids:
        return
    of_run = and_(
        col(JournalAttempt.event_id) == col(JournalRow.id), col(JournalAttempt.run) == col(JournalRow.run)
    )
    counted = col(JournalAttempt.effort) != Effort.POSTPONED
    tries = select(func.count()).select_from(JournalAttempt).where(of_run, counted).scalar_subquery()
    newest = select(JournalAttempt).where(of_run).order_by(col(JournalAttempt.started_at).desc()).limit(1)
    latest = {
        name: newest.with_only_columns(getattr(JournalAttempt, name)).scalar_subquery()
        for name in ("reason", "error", "retry_at")
    }
    tried = select(col(JournalAttempt.run)).where(of_run).exists()
    still_open = col(JournalRow.open)
    await session.execute(
        update(JournalRow)
        .where(col(JournalRow.id).in_(ids))
        .values(
            attempts=tries,
            status=case((and_(still_open, tried), "retrying"), else_=col(JournalRow.status)),
            **{
                name: case((still_open, value), else_=getattr(JournalRow, name))
                for name, value in latest.items()
            },
        ),
        execution_options=UNSYNCED,
    )


_UNSAID: Columns = dict.fromkeys(JournalRow.model_fields)
"""The rows of one INSERT have the same columns."""


def _row_of(report: EventReport, now: datetime) -> Columns:
    """What its worker has sent is not sent again in the same epoch of its queue."""
    begun = {"status": "waiting", "open": True, "attempts": 0, "uncertain": False, "filled": True}
    return {**_UNSAID, **report.model_dump(), **begun, "created_at": now}


def _row_begun_by(report: OutcomeReport, now: datetime) -> Columns:
    return {
        **_UNSAID,
        "id": report.event_id,
        "run": report.run,
        "type": report.type,
        "queue": report.queue,
        "source": "",
        "time": report.started_at,
        "correlation_id": report.correlation_id or report.event_id,
        "data": "",
        "priority": "normal",
        "created_at": now,
        "attempts": 0,
        "uncertain": report.uncertain,
        "filled": False,
        **_end_of(report),
    }


def _end_of(report: OutcomeReport) -> Columns:
    return {
        "open": False,
        "status": report.outcome,
        "reason": report.reason,
        "error": report.error,
        "ended_at": report.ended_at,
        "retry_at": None,
    }


def _failed_try(report: AttemptReport) -> Columns:
    return report.model_dump(exclude={"delivery"})


def _last_tries(reports: Iterable[OutcomeReport]) -> Iterable[Columns]:
    """The tries that ended a run. Who was cancelled, expired, or lost too often was not tried once more."""
    for report in reports:
        if report.outcome in {Outcome.COMPLETED, Outcome.DEAD} and report.reason != Effort.LOST:
            yield {
                "event_id": report.event_id,
                "run": report.run,
                "started_at": report.started_at,
                "ended_at": report.ended_at,
                "effort": report.outcome,
                "worker": report.worker,
                "reason": report.reason,
                "error": report.error,
                "traceback": report.traceback,
                "retry_at": None,
            }


def _distinct(tries: Iterable[Columns]) -> list[Columns]:
    """One row for each moment at which a run was tried; the last one told counts."""
    by_start = {(row["event_id"], row["run"], row["started_at"]): row for row in tries}
    return [by_start[key] for key in sorted(by_start)]


def _dead_letter(report: OutcomeReport) -> Columns:
    kept = report.model_dump(exclude={"outcome", "worker", "started_at", "correlation_id", "uncertain"})
    return kept | {"raw": report.raw}  # the dump would have it in base64
