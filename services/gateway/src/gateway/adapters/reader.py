"""What is asked of the journal."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.adapters.tables import JournalAttempt, JournalRow
from gateway.cursors import Position
from gateway.domain import Status, status_of
from gateway.views import AttemptItem, EventDetail, EventItem, EventLink
from shared.store.database import Database
from shared.store.tables import utc_now

CAUSED = 1_000
"""An event shows so many of those that it caused; a list has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which events of the journal; what is None does not matter. `since` is within, `until` is not."""

    queue: str | None = None
    type: str | None = None
    status: Status | None = None
    subject: str | None = None
    correlation_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list: at most `limit` events behind `after`."""

    limit: int
    after: Position | None = None
    oldest_first: bool = False


class JournalReader:
    """Reads events. `active` everywhere holds the ids of those that run at this moment."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def page(
        self, selection: Selection, page: Page, active: Collection[str]
    ) -> tuple[list[EventItem], Position | None]:
        """The events of a page, and where the next one begins, None after the last.

        Pages are cut by time and id, which never change: nothing is repeated or left out while
        others come.
        """
        now = self._clock()
        query = select(JournalRow).where(*_conditions(selection, now, active)).limit(page.limit + 1)
        place = tuple_(col(JournalRow.time), col(JournalRow.id))
        if page.after:
            position = (page.after.time, page.after.id)
            query = query.where(place > position if page.oldest_first else place < position)
        for column in (col(JournalRow.time), col(JournalRow.id)):
            query = query.order_by(column.asc() if page.oldest_first else column.desc())
        async with self._database.reading() as session:
            rows = (await session.scalars(query)).all()
        shown = rows[: page.limit]
        more = Position(shown[-1].time, shown[-1].id) if len(rows) > len(shown) else None
        return [_item(row, now, active) for row in shown], more

    async def detail(self, event_id: str, active: Collection[str]) -> EventDetail | None:
        """An event with its attempts and neighbours, None if there is no such event."""
        now = self._clock()
        async with self._database.reading() as session:
            row = await session.get(JournalRow, event_id)
            if row is None:
                return None
            cause = await session.get(JournalRow, row.causation_id) if row.causation_id else None
            caused = await _caused(session, event_id)
            attempts = await _attempts(session, event_id)
        shown = _item(row, now, active).model_dump() | {
            "data": json.loads(row.data) if row.filled else None,
            "error": row.error,
            "attempts": attempts,
            "caused_by": _link(cause, now, active) if cause else None,
            "caused": [_link(effect, now, active) for effect in caused],
        }
        return EventDetail.model_validate(shown)


def _conditions(
    selection: Selection, now: datetime, active: Collection[str]
) -> Sequence[ColumnElement[bool]]:
    equal: dict[Any, str | None] = {
        JournalRow.queue: selection.queue,
        JournalRow.type: selection.type,
        JournalRow.subject: selection.subject,
        JournalRow.correlation_id: selection.correlation_id,
    }
    conditions = [col(column) == value for column, value in equal.items() if value is not None]
    if selection.since:
        conditions.append(col(JournalRow.time) >= selection.since)
    if selection.until:
        conditions.append(col(JournalRow.time) < selection.until)
    if selection.status:
        conditions.append(_has_status(selection.status, now, active))
    return conditions


def _has_status(status: Status, now: datetime, active: Collection[str]) -> ColumnElement[bool]:
    """The same as `status_of`, in SQL."""
    kept = col(JournalRow.status)
    runs = and_(col(JournalRow.open), col(JournalRow.id).in_(active))
    not_before = col(JournalRow.not_before)
    match status:
        case Status.ACTIVE:
            return runs
        case Status.DELAYED:
            return and_(kept == Status.WAITING, not_before > now, ~runs)
        case Status.WAITING:
            return and_(kept == Status.WAITING, or_(not_before.is_(None), not_before <= now), ~runs)
        case Status.RETRYING:
            return and_(kept == Status.RETRYING, ~runs)
        case _:
            return kept == status


async def _caused(session: AsyncSession, event_id: str) -> Sequence[JournalRow]:
    query = select(JournalRow).where(col(JournalRow.causation_id) == event_id)
    return (
        await session.scalars(query.order_by(col(JournalRow.time), col(JournalRow.id)).limit(CAUSED))
    ).all()


async def _attempts(session: AsyncSession, event_id: str) -> list[AttemptItem]:
    query = select(JournalAttempt).where(col(JournalAttempt.event_id) == event_id)
    rows = await session.scalars(query.order_by(col(JournalAttempt.run), col(JournalAttempt.started_at)))
    return [
        AttemptItem(
            run=row.run,
            started=row.started_at,
            ended=row.ended_at,
            effort=row.effort,
            worker=row.worker,
            reason=row.reason,
            error=row.error,
            retry_at=row.retry_at,
        )
        for row in rows
    ]


def _shown_status(row: JournalRow, now: datetime, active: Collection[str]) -> Status:
    return status_of(row.status, row.not_before, now, active=row.id in active)


def _item(row: JournalRow, now: datetime, active: Collection[str]) -> EventItem:
    kept = row.model_dump(include=set(EventItem.model_fields))
    return EventItem.model_validate(kept | {"status": _shown_status(row, now, active)})


def _link(row: JournalRow, now: datetime, active: Collection[str]) -> EventLink:
    return EventLink(id=row.id, type=row.type, queue=row.queue, status=_shown_status(row, now, active))
