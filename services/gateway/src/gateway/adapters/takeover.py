"""What workers hand over: events that they caused, tries, outcomes. The journal is their next owner."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.adapters.statements import insert_new, update_each, upsert
from gateway.adapters.tables import DeadLetter, JournalAttempt, JournalRow
from shared.store.database import Database
from shared.store.handover import AttemptReport, EventReport, HandOverBatch, OutcomeReport
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
        """Rows are written in the order of their ids, so that two batches never wait for each other."""
        now = self._clock()
        events = sorted(batch.events, key=lambda report: report.id)
        outcomes = sorted(batch.outcomes, key=lambda report: (report.event_id, report.run))
        dead = [_dead_letter(report) for report in outcomes if report.outcome == Outcome.DEAD]
        touched = {report.id for report in events}
        touched |= {report.event_id for report in (*batch.attempts, *outcomes)}
        async with self._database.transaction() as session:
            await _add_events(session, events, now)
            await upsert(session, JournalAttempt, _distinct(map(_failed_try, batch.attempts)))
            await insert_new(session, JournalAttempt, _distinct(_last_tries(outcomes)), "event_id")
            await _end_runs(session, outcomes, now)
            await insert_new(session, DeadLetter, dead, "event_id")
            await _count_attempts(session, sorted(touched))


async def _add_events(session: AsyncSession, reports: Sequence[EventReport], now: datetime) -> None:
    """What its worker has sent is not sent again in the same epoch of its queue."""
    begun = {"status": "waiting", "open": True, "attempts": 0, "uncertain": False, "filled": True}
    rows = [{**report.model_dump(), **begun, "created_at": now} for report in reports]
    new = set(await insert_new(session, JournalRow, rows, "id"))
    late = [
        {"its_id": report.id, "filled": True, **report.model_dump(exclude={"id", "run", "sent_epoch"})}
        for report in reports
        if report.id not in new
    ]
    await update_each(session, JournalRow, lambda c: and_(c.id == bindparam("its_id"), ~c.filled), late)


async def _end_runs(session: AsyncSession, reports: Sequence[OutcomeReport], now: datetime) -> None:
    begun = [_row_begun_by(report, now) for report in reports]
    new = set(await insert_new(session, JournalRow, begun, "id"))
    ends = [
        {"its_id": report.event_id, "its_run": report.run, **_end_of(report)}
        for report in reports
        if report.event_id not in new
    ]
    await update_each(
        session,
        JournalRow,
        lambda c: and_(c.id == bindparam("its_id"), c.run == bindparam("its_run"), c.open),
        ends,
    )


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
        execution_options={"synchronize_session": False},
    )


def _row_begun_by(report: OutcomeReport, now: datetime) -> Columns:
    return {
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
        "uncertain": False,
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
            }


def _distinct(tries: Iterable[Columns]) -> list[Columns]:
    """One row for each moment at which a run was tried; the last one told counts."""
    by_start = {(row["event_id"], row["run"], row["started_at"]): row for row in tries}
    return [by_start[key] for key in sorted(by_start)]


def _dead_letter(report: OutcomeReport) -> Columns:
    kept = report.model_dump(exclude={"outcome", "worker", "started_at", "correlation_id"})
    return kept | {"raw": report.raw}  # the dump would have it in base64
