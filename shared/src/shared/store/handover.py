"""The hand-over: a worker tells the gateway what happened; the other half is the gateway's route.

A batch is idempotent: the gateway commits all of it or nothing, and the same batch again changes
nothing. What it confirmed is closed here afterwards, never before.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from httpx import AsyncClient, HTTPError, Response
from sqlalchemy import ColumnElement, delete, func, inspect, select, tuple_, update
from sqlmodel import col

from shared.queue.policy import Backoff
from shared.store.database import Database, is_infrastructure
from shared.store.refused import Key, Refused
from shared.store.reports import HANDOVER_PATH, HandOverBatch, report_attempt, report_event, report_outcome
from shared.store.statements import lock_in_order
from shared.store.tables import Attempt, Inbox, Outbox, utc_now

log = logging.getLogger(__name__)

SENT_AT_LEAST = timedelta(seconds=5)
"""How long an outbox row is left to the relay before it is handed over unsent."""
BATCH = 200
RAW_BYTES = 8 * 1024 * 1024
"""Of dead letters in one batch, so that it stays below what the gateway takes."""
GATHER_SECONDS = 0.05
"""A pause after a commit, so that a batch is worth its request; only a full one is followed at once."""
SWEEP_SECONDS = 2.0
TAKEN = 204
"""The only answer that confirms: what stands between may say 200 to anything."""
NOT_ABOUT_THE_BATCH = frozenset({401, 403, 404, 405, 407, 408, 421, 425, 429})
"""Refusals of the caller, the address or the moment: any other batch would be answered the same."""

Row = Outbox | Attempt | Inbox
Rows = tuple[Sequence[Outbox], Sequence[Attempt], Sequence[Inbox]]


class NotConfirmedError(Exception):
    """The gateway, or what stands before it, answered something else than that it has committed."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"{response.status_code} {response.text[:100]}".strip())


class RefusedError(NotConfirmedError):
    """The gateway will refuse this batch however often it comes: something in it is to blame."""


class HandOver:
    """Hands what happened here over to the gateway, and closes it once the gateway has committed it.

    A report that the gateway refuses is told again later, less and less often; everything else flows on.
    Each replica of a worker hands over what it finds in their database, also what another has just posted:
    the gateway takes each report once.
    """

    def __init__(
        self, database: Database, queue: str, client: AsyncClient, *, refused: Refused | None = None
    ) -> None:
        """`client` has the gateway as its base URL, the service key as its authorization, and time limits."""
        self._database = database
        self._queue = queue
        self._client = client
        self._refused = Refused() if refused is None else refused
        self._wake = asyncio.Event()
        self._trouble: str | None = None
        self._refusal = ""

    @property
    def trouble(self) -> str | None:
        """Why the gateway can't be told all, for a person; None while it can."""
        if self._trouble is None and len(self._refused):
            return f"{len(self._refused)} refused, the last: {self._refusal}"[:200]
        return self._trouble

    @property
    def refused(self) -> int:
        """How many reports the gateway refuses."""
        return len(self._refused)

    def nudge(self) -> None:
        """Says that there is something to hand over."""
        self._wake.set()

    async def run(self) -> None:
        """Hands over until it is cancelled. While the gateway is away, everything waits in the database."""
        backoff = Backoff(base=0.2, cap=5.0)
        while True:
            try:
                more = await self.hand_over_once()
                self._trouble = None
                backoff.reset()
                if not more:
                    await self._rest()
            except Exception as error:
                if not isinstance(error, HTTPError | NotConfirmedError) and not is_infrastructure(error):
                    raise
                if self._trouble is None:
                    log.warning("handover_failed", extra={"error": repr(error)})
                self._trouble = f"{type(error).__name__}: {error}"[:200]
                await asyncio.sleep(backoff.next())

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._wake.wait()
        await asyncio.sleep(GATHER_SECONDS)
        self._wake.clear()

    async def hand_over_once(self) -> bool:
        """One batch; whether there may be more.

        Raises `NotConfirmedError`, httpx's `HTTPError`, or what the database raises.
        """
        rows, more = await self._gather()
        each = _flat(rows)
        self._refused.keep_due([_key(row) for row in each])
        if each:
            await self._hand_over(rows)
            self.nudge()  # what it caused may have been sent only meanwhile
        return more

    async def _hand_over(self, rows: Rows) -> None:
        """Halves what is refused until the one report that is to blame stands alone, and sets that aside."""
        try:
            await self._post(rows)
        except RefusedError as refusal:
            each = _flat(rows)
            if len(each) > 1:
                await self._hand_over(_sorted_out(each[: len(each) // 2]))
                await self._hand_over(_sorted_out(each[len(each) // 2 :]))
            elif self._refused.has_room_for(_key(each[0])):
                self._set_aside(_key(each[0]), refusal)
            else:
                raise
        else:
            await self._close(*rows)
            self._refused.forget(_key(row) for row in _flat(rows))

    async def _post(self, rows: Rows) -> None:
        outbox, attempts, inbox = rows
        batch = HandOverBatch(
            events=tuple(map(report_event, outbox)),
            attempts=tuple(map(report_attempt, attempts)),
            outcomes=tuple(report_outcome(row, self._queue) for row in inbox),
        )
        body = batch.model_dump_json(exclude_defaults=True)  # an older gateway knows no newer field
        response = await self._client.post(
            HANDOVER_PATH, content=body, headers={"content-type": "application/json"}
        )
        if response.is_client_error and response.status_code not in NOT_ABOUT_THE_BATCH:
            raise RefusedError(response)
        if response.status_code != TAKEN:
            raise NotConfirmedError(response)

    def _set_aside(self, key: Key, refusal: RefusedError) -> None:
        report = " ".join(map(str, key))
        self._refusal = f"{report}: {refusal}"
        if self._refused.add(key):
            log.critical("handover_refused", extra={"report": report, "error": str(refusal)})

    async def _gather(self) -> tuple[Rows, bool]:
        """What one batch holds, and whether it is full."""
        sent = col(Outbox.sent_epoch).is_not(None) | (col(Outbox.created_at) < utc_now() - SENT_AT_LEAST)
        events = select(Outbox).where(sent, *self._not_resting(Outbox))
        tries = select(Attempt).where(col(Attempt.unreported), *self._not_resting(Attempt))
        size = func.coalesce(func.length(col(Inbox.raw)), 0)
        ended = select(col(Inbox.event_id), col(Inbox.run), size).where(
            col(Inbox.unreported), *self._not_resting(Inbox)
        )
        async with self._database.reading() as session:
            outbox = await session.scalars(events.order_by(col(Outbox.id)).limit(BATCH))
            attempts = await session.scalars(tries.order_by(col(Attempt.ended_at)).limit(BATCH))
            sizes = await session.execute(ended.order_by(col(Inbox.ended_at)).limit(BATCH))
            found = [((event_id, run), size) for event_id, run, size in sizes]
            runs = _that_fit(found)
            inbox = await session.scalars(select(Inbox).where(_RUN.in_(runs)))
            rows = outbox.all(), attempts.all(), inbox.all()
        return rows, len(runs) < len(found) or BATCH in map(len, rows)

    def _not_resting(self, table: type[Row]) -> Sequence[ColumnElement[bool]]:
        resting = self._refused.resting(_KINDS[table])
        return [tuple_(*inspect(table).primary_key).not_in(resting)] if resting else []

    async def _close(
        self, outbox: Sequence[Outbox], attempts: Sequence[Attempt], inbox: Sequence[Inbox]
    ) -> None:
        """What is closed here was committed there.

        An ended attempt never changes again. An inbox row may still become uncertain: then it is told again.
        """
        async with self._database.transaction() as session:
            if outbox:
                ids = [row.id for row in outbox]
                await lock_in_order(session, Outbox, ids)
                await session.execute(delete(Outbox).where(col(Outbox.id).in_(ids)))
            if attempts:
                tries = [(row.event_id, row.run, row.delivery) for row in attempts]
                await session.execute(update(Attempt).where(_TRY.in_(tries)).values(unreported=False))
            for uncertain in (False, True):
                runs = [(row.event_id, row.run) for row in inbox if row.uncertain is uncertain]
                told = _RUN.in_(runs), col(Inbox.uncertain) == uncertain
                if runs:
                    await session.execute(update(Inbox).where(*told).values(unreported=False))


_KINDS: dict[type[Row], str] = {Outbox: "event", Attempt: "attempt", Inbox: "outcome"}
_TRY = tuple_(col(Attempt.event_id), col(Attempt.run), col(Attempt.delivery))
_RUN = tuple_(col(Inbox.event_id), col(Inbox.run))


def _key(row: Row) -> Key:
    return (_KINDS[type(row)], *inspect(row).identity)


def _flat(rows: Rows) -> list[Row]:
    return [row for kind in rows for row in kind]


def _sorted_out(rows: Sequence[Row]) -> Rows:
    return (
        [row for row in rows if isinstance(row, Outbox)],
        [row for row in rows if isinstance(row, Attempt)],
        [row for row in rows if isinstance(row, Inbox)],
    )


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
