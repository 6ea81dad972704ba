"""The one relay, for the gateway's journal and for the outbox of every worker.

Rows of a commit are sent at once (`send_soon`); a sweep sends what a crash or an outage left, what
has become due, and, after Redis was wiped or restarted, every open row again. It only ever repeats
a send: inboxes absorb that.
"""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from redis.exceptions import RedisError
from sqlalchemy import or_, select, update
from sqlmodel import col

from shared.events.envelope import Envelope
from shared.queue.clock import ServerClock
from shared.queue.tasks import end_all
from shared.store.database import Database, is_infrastructure
from shared.store.statements import UNSYNCED, lock_in_order
from shared.store.tables import Sendable, utc_now

log = logging.getLogger(__name__)

FRESH = timedelta(seconds=2)
"""How long the fast path has before the sweep takes a row."""
CLAIM = timedelta(seconds=10)
BATCH = 200
PENDING = 10_000
"""Rows that the fast path holds in memory; what is beyond is left to the sweep."""


class Sender(Protocol):
    """Redis, as a relay sees it."""

    async def send(self, queue: str, envelopes: Sequence[Envelope]) -> str | None:
        """Adds the events to the queue, all of them, and answers the queue's epoch.

        None: the queue is closed, and nothing was added.
        """
        ...

    async def epoch(self, queue: str) -> str | None:
        """The queue's epoch, None while it is closed."""
        ...

    @property
    def clock(self) -> ServerClock:
        """The time of Redis, which due times are held against."""
        ...


class Relay:
    """Sends the open rows of one table to their queues.

    Each queue by itself: where one of them has a server of its own, its trouble delays no other.
    """

    def __init__(
        self,
        database: Database,
        table: type[Sendable],
        sender: Sender,
        *,
        queues: Sequence[str],
        sweep: float = 1.0,
    ) -> None:
        """`queues` are all that rows are for; `sweep` is the mean time between two sweeps, in seconds."""
        self._database = database
        self._table = table
        self._sender = sender
        self._interval = sweep
        self._pending: dict[str, list[Envelope]] = {queue: [] for queue in queues}
        self._held = 0
        self._storing = asyncio.Lock()  # one connection, of a pool that others need too, is enough
        self._wake = {queue: asyncio.Event() for queue in queues}

    def send_soon(self, rows: Iterable[Sendable]) -> None:
        """Takes rows that were just committed; delayed ones wait for the sweep."""
        for row in rows:
            if row.not_before is None and self._held < PENDING:
                self._pending[row.queue].append(row.envelope())
                self._held += 1
            self._wake[row.queue].set()

    async def run(self) -> None:
        """Sends until it is cancelled. An error of Redis or the database only delays.

        What it still holds then is sent by the next sweep, of another replica or after a restart.
        """
        relays = [asyncio.create_task(self._relay(queue), name=f"relay to {queue}") for queue in self._wake]
        try:
            # None ends by itself: whichever does, by an error or a stray cancellation, ends them all.
            ended, _ = await asyncio.wait(relays, return_when=asyncio.FIRST_COMPLETED)
            for relay in ended:
                relay.result()
        finally:
            await end_all(relays)

    async def _relay(self, queue: str) -> None:
        pause, due = self._interval, time.monotonic()  # the first sweep at once: it opens what it may open
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(due - time.monotonic(), 0)):
                    await self._wake[queue].wait()
            self._wake[queue].clear()
            await self._send_pending(queue)
            if time.monotonic() >= due:
                pause = self._interval if await self._swept(queue) else min(pause * 2, 5.0)
                due = time.monotonic() + random.uniform(0.5, 1.5) * pause

    async def _send_pending(self, queue: str) -> None:
        envelopes, self._pending[queue] = self._pending[queue], []
        self._held -= len(envelopes)
        for start in range(0, len(envelopes), BATCH):
            try:
                await self._send(queue, envelopes[start : start + BATCH])
            except (RedisError, OSError) as error:
                log.warning("relay_send_failed", extra={"queue": queue, "error": repr(error)})
                break  # the sweep has the rest
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("relay_mark_failed", extra={"queue": queue, "error": repr(error)})

    async def _send(self, queue: str, envelopes: Sequence[Envelope]) -> str | None:
        epoch = await self._sender.send(queue, envelopes)
        if epoch is not None:
            await self._mark(epoch, envelopes)
        return epoch

    async def _mark(self, epoch: str, envelopes: Sequence[Envelope]) -> None:
        """Only the run that was read is marked: a row that was redriven meanwhile is due."""
        runs: dict[int, list[str]] = defaultdict(list)
        for envelope in envelopes:
            runs[envelope.run].append(envelope.id)
        async with self._storing, self._database.transaction() as session:
            await lock_in_order(session, self._table, [envelope.id for envelope in envelopes])
            for run, ids in runs.items():
                mine = col(self._table.id).in_(ids) & (col(self._table.run) == run)
                await session.execute(
                    update(self._table).where(mine).values(sent_epoch=epoch, claimed_until=None)
                )

    async def _swept(self, queue: str) -> bool:
        """Whether a sweep went through."""
        try:
            await self.sweep(queue)
        except Exception as error:
            if not (isinstance(error, RedisError | OSError) or is_infrastructure(error)):
                raise
            log.warning("relay_sweep_failed", extra={"queue": queue, "error": repr(error)})
            return False
        return True

    async def sweep(self, queue: str) -> None:
        """Sends all that is due to this queue, once. Raises what Redis or the database raises.

        The epoch is read first: rows that were sent in another are due.
        """
        epoch = await self._sender.epoch(queue)
        if epoch is None:
            return
        while rows := await self._claim(queue, epoch):
            if await self._send(queue, [row.envelope() for row in rows]) != epoch:
                return  # closed, or opened anew meanwhile: the next sweep looks with other eyes

    async def _claim(self, queue: str, epoch: str) -> Sequence[Sendable]:
        """Some due rows, claimed against other sweeps, and unsent from now on.

        What only this service writes is compared with its own clock, and a time that lies in the
        future, by a clock that was wrong, counts as past.
        """
        table, now = self._table, utc_now()
        created, claimed, sent = col(table.created_at), col(table.claimed_until), col(table.sent_epoch)
        due = (
            col(table.open)
            & (col(table.queue) == queue)
            # three ranges of one index, where "differs" would be a walk over all open rows
            & or_(sent.is_(None), sent < epoch, sent > epoch)
            & or_(created < now - FRESH, created > now + FRESH)
            & or_(claimed.is_(None), claimed < now, claimed > now + CLAIM)
            & or_(col(table.not_before).is_(None), col(table.not_before) <= self._sender.clock.now())
        )
        some = select(col(table.id)).where(due).order_by(col(table.id)).limit(BATCH)
        async with self._storing, self._database.transaction() as session:
            rows = await session.execute(
                update(table)
                .where(col(table.id).in_(some.with_for_update(skip_locked=True)))
                .values(claimed_until=now + CLAIM, sent_epoch=None)
                .returning(table),
                execution_options=UNSYNCED,
            )
            return sorted(rows.scalars(), key=lambda row: row.id)
