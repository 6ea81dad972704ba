"""What is read of a service's database at a scrape: what has not left it yet, and since when.

Each question walks the open rows of an index, and no more than `MOST` of them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from shared.store.database import Database
from shared.store.handover import HandOver
from shared.store.tables import Attempt, Inbox, Outbox, Sendable, utc_now

MOST = 10_000
"""Rows that are counted: beyond it is a catastrophe, not a number."""
DATABASE_UP = ("queue_database_up", "Whether the database answered this scrape.")


class OutboxReading:
    """Of a worker: its outbox, and what it has to hand over."""

    up = DATABASE_UP

    def __init__(self, database: Database, handover: HandOver, queues: Sequence[str]) -> None:
        self._database = database
        self._handover = handover
        self._queues = queues

    async def read(self) -> Iterable[Metric]:
        async with self._database.reading() as session:
            unsent = (await _unsent(session, Outbox, self._queues)).values()
            untold = {
                "event": await _size(session, select(col(Outbox.created_at)).where(col(Outbox.open))),
                "attempt": await _size(session, _unreported(Attempt)),
                "outcome": await _size(session, _unreported(Inbox)),
            }
        rows = GaugeMetricFamily(
            "queue_handover_rows", "What the gateway has not confirmed yet.", labels=("kind",)
        )
        for kind, (count, _) in untold.items():
            rows.add_metric((kind,), count)
        oldest = min((since for _, since in untold.values() if since), default=None)
        return (
            GaugeMetricFamily(
                "queue_outbox_unsent",
                "Caused events that were not sent yet.",
                value=sum(n for n, _ in unsent),
            ),
            GaugeMetricFamily(
                "queue_outbox_oldest_seconds",
                "Age of the oldest caused event that was not sent yet.",
                value=_age(min((since for _, since in unsent if since), default=None)),
            ),
            rows,
            GaugeMetricFamily(
                "queue_handover_oldest_seconds",
                "Age of the oldest of what the gateway has not confirmed yet.",
                value=_age(oldest),
            ),
            GaugeMetricFamily(
                "queue_handover_refused",
                "Reports that the gateway refuses, each told again later.",
                value=self._handover.refused,
            ),
        )


class JournalReading:
    """Of the gateway: what is due in its journal and not on its queue yet."""

    up = DATABASE_UP

    def __init__(self, database: Database, journal: type[Sendable], queues: Sequence[str]) -> None:
        self._database = database
        self._journal = journal
        self._queues = queues

    async def read(self) -> Iterable[Metric]:
        async with self._database.reading() as session:
            unsent = await _unsent(session, self._journal, self._queues)
        rows = GaugeMetricFamily(
            "queue_journal_unsent", "Accepted events that are due and were not sent yet.", labels=("queue",)
        )
        oldest = GaugeMetricFamily(
            "queue_journal_oldest_seconds",
            "How long the oldest accepted event that was not sent yet has been due.",
            labels=("queue",),
        )
        for queue in self._queues:
            count, since = unsent.get(queue, (0, None))
            rows.add_metric((queue,), count)
            oldest.add_metric((queue,), _age(since))
        return rows, oldest


_Size = tuple[int, datetime | None]
"""How many rows there are, and the oldest one's time."""


async def _unsent(session: AsyncSession, table: type[Sendable], queues: Sequence[str]) -> dict[str, _Size]:
    """What is due and was sent in no epoch, by queue."""
    due = col(table.not_before)
    since = func.coalesce(due, col(table.created_at)).label("since")
    some = (
        select(col(table.queue), since)
        .where(col(table.open), col(table.queue).in_(queues), col(table.sent_epoch).is_(None))
        .where(or_(due.is_(None), due <= utc_now()))
        .limit(MOST)
        .subquery()
    )
    counted = select(some.c.queue, func.count(), func.min(some.c.since)).group_by(some.c.queue)
    return {queue: (count, oldest) for queue, count, oldest in await session.execute(counted)}


def _unreported(table: type[Attempt | Inbox]) -> Select[Any]:
    return select(col(table.ended_at)).where(col(table.unreported))


async def _size(session: AsyncSession, rows: Select[Any]) -> _Size:
    some = rows.limit(MOST).subquery()
    (time,) = some.c
    count, oldest = (await session.execute(select(func.count(), func.min(time)))).one()
    return count, oldest


def _age(since: datetime | None) -> float:
    return max((utc_now() - since).total_seconds(), 0.0) if since else 0.0
