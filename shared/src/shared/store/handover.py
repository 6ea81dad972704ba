"""What a worker tells the gateway, and how: the other half is the gateway's route.

A batch is idempotent: the gateway commits all of it or nothing, and the same batch again changes
nothing. What it confirmed is closed here afterwards, never before.
"""

import asyncio
import base64
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from httpx import AsyncClient, HTTPError
from pydantic import Base64Bytes, BaseModel, ConfigDict
from sqlalchemy import delete, func, select, tuple_, update
from sqlmodel import col

from shared.queue.policy import Backoff
from shared.store.database import Database, is_infrastructure
from shared.store.tables import Attempt, Inbox, Outbox, utc_now

log = logging.getLogger(__name__)

HANDOVER_PATH = "/internal/v1/handover"


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EventReport(_Report):
    """An event that this worker caused, for the journal."""

    id: str
    run: int
    type: str
    queue: str
    source: str
    time: datetime
    correlation_id: str
    data: str
    subject: str | None
    causation_id: str | None
    priority: str
    not_before: datetime | None
    expires_at: datetime | None
    max_attempts: int | None
    sent_epoch: str | None
    """The epoch that it was sent in: in another one the journal sends it again."""


class OutcomeReport(_Report):
    """How a run ended. For an event that the journal does not know, it begins the row, ended."""

    event_id: str
    run: int
    type: str
    queue: str
    outcome: str
    reason: str | None
    error: str | None
    traceback: str | None
    worker: str
    started_at: datetime
    ended_at: datetime
    correlation_id: str | None
    raw: Base64Bytes | None
    """The bytes of a dead letter, as they came."""


class AttemptReport(_Report):
    """A try that did not end its run: failed, lost or postponed."""

    event_id: str
    run: int
    delivery: str
    effort: str
    reason: str | None
    error: str | None
    traceback: str | None
    worker: str
    started_at: datetime
    ended_at: datetime
    retry_at: datetime | None


class HandOverBatch(_Report):
    """One request of the hand-over."""

    events: tuple[EventReport, ...] = ()
    attempts: tuple[AttemptReport, ...] = ()
    outcomes: tuple[OutcomeReport, ...] = ()


SENT_AT_LEAST = timedelta(seconds=5)
"""How long an outbox row is left to the relay before it is handed over unsent."""
BATCH = 200
RAW_BYTES = 8 * 1024 * 1024
"""Of dead letters in one batch, so that it stays below what the gateway takes."""
GATHER_SECONDS = 0.05
"""A pause after a commit, so that a batch is worth its request."""
SWEEP_SECONDS = 2.0


class HandOver:
    """Hands what happened here over to the gateway, and closes it once the gateway has committed it."""

    def __init__(self, database: Database, queue: str, client: AsyncClient) -> None:
        """`client` has the gateway as its base URL, the service key as its authorization, and time limits."""
        self._database = database
        self._queue = queue
        self._client = client
        self._wake = asyncio.Event()
        self.trouble: str | None = None
        """Why the gateway can't be told, for a person; None while it can."""

    def nudge(self) -> None:
        """Says that there is something to hand over."""
        self._wake.set()

    async def run(self) -> None:
        """Hands over until it is cancelled. While the gateway is away, everything waits in the database."""
        backoff = Backoff(base=0.2, cap=5.0)
        while True:
            try:
                more = await self.hand_over_once()
                self.trouble = None
                backoff.reset()
                if not more:
                    await self._rest()
            except Exception as error:
                if not isinstance(error, HTTPError) and not is_infrastructure(error):
                    raise
                if self.trouble is None:
                    log.warning("handover_failed", extra={"error": repr(error)})
                self.trouble = f"{type(error).__name__}: {error}"[:200]
                await asyncio.sleep(backoff.next())

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._wake.wait()
        await asyncio.sleep(GATHER_SECONDS)
        self._wake.clear()

    async def hand_over_once(self) -> bool:
        """One batch; whether there may be more. Raises httpx's `HTTPError`, or what the database raises."""
        outbox, attempts, inbox = await self._gather()
        if not (outbox or attempts or inbox):
            return False
        batch = HandOverBatch(
            events=tuple(_report_event(row) for row in outbox),
            attempts=tuple(_report_attempt(row) for row in attempts),
            outcomes=tuple(_report_outcome(row, self._queue) for row in inbox),
        )
        body = batch.model_dump_json()
        response = await self._client.post(
            HANDOVER_PATH, content=body, headers={"content-type": "application/json"}
        )
        response.raise_for_status()
        await self._close(outbox, attempts, inbox)
        return max(len(outbox), len(attempts)) == BATCH or len(inbox) > 0

    async def _gather(self) -> tuple[Sequence[Outbox], Sequence[Attempt], Sequence[Inbox]]:
        sent = col(Outbox.sent_epoch).is_not(None) | (col(Outbox.created_at) < utc_now() - SENT_AT_LEAST)
        async with self._database.reading() as session:
            outbox = await session.scalars(select(Outbox).where(sent).order_by(col(Outbox.id)).limit(BATCH))
            attempts = await session.scalars(
                select(Attempt).where(col(Attempt.unreported)).order_by(col(Attempt.ended_at)).limit(BATCH)
            )
            sizes = await session.execute(
                select(col(Inbox.event_id), col(Inbox.run), func.coalesce(func.length(col(Inbox.raw)), 0))
                .where(col(Inbox.unreported))
                .order_by(col(Inbox.ended_at))
                .limit(BATCH)
            )
            runs = _that_fit([((event_id, run), size) for event_id, run, size in sizes])
            inbox = await session.scalars(select(Inbox).where(_RUN.in_(runs)))
            return outbox.all(), attempts.all(), inbox.all()

    async def _close(
        self, outbox: Sequence[Outbox], attempts: Sequence[Attempt], inbox: Sequence[Inbox]
    ) -> None:
        """What is closed here was committed there: an ended attempt and an inbox row never change again."""
        async with self._database.transaction() as session:
            if outbox:
                await session.execute(delete(Outbox).where(col(Outbox.id).in_([row.id for row in outbox])))
            if attempts:
                keys = [(row.event_id, row.run, row.delivery) for row in attempts]
                told = tuple_(col(Attempt.event_id), col(Attempt.run), col(Attempt.delivery)).in_(keys)
                await session.execute(update(Attempt).where(told).values(unreported=False))
            if inbox:
                runs = [(row.event_id, row.run) for row in inbox]
                await session.execute(update(Inbox).where(_RUN.in_(runs)).values(unreported=False))


_RUN = tuple_(col(Inbox.event_id), col(Inbox.run))


def _that_fit(runs: Sequence[tuple[tuple[str, int], int]]) -> list[tuple[str, int]]:
    """The first of them whose raw bytes together are within `RAW_BYTES`, and always the very first."""
    fitting: list[tuple[str, int]] = []
    total = 0
    for run, size in runs:
        total += size
        if fitting and total > RAW_BYTES:
            break
        fitting.append(run)
    return fitting


def _report_event(row: Outbox) -> EventReport:
    return EventReport.model_validate(row, from_attributes=True, extra="ignore")


def _report_attempt(row: Attempt) -> AttemptReport:
    return AttemptReport.model_validate(row, from_attributes=True, extra="ignore")


def _report_outcome(row: Inbox, queue: str) -> OutcomeReport:
    fields = {name: getattr(row, name) for name in OutcomeReport.model_fields if name not in {"queue", "raw"}}
    raw = base64.b64encode(row.raw) if row.raw is not None else None
    return OutcomeReport.model_validate({**fields, "queue": queue, "raw": raw})
