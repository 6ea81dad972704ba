"""How accepted events get into the journal: concurrent requests share one commit."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from pydantic import TypeAdapter
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.adapters.tables import JournalRow, UsedKey
from gateway.domain import (
    Entry,
    IdempotencyKey,
    KeyReusedError,
    Receipt,
    Result,
    Status,
    Submission,
    status_of,
)
from shared.service.problem import Kind, Problem
from shared.store.database import Database, is_infrastructure
from shared.store.statements import insert_new
from shared.store.tables import Sendable, sendable_columns, utc_now

log = logging.getLogger(__name__)

ROWS = 1_000
"""A commit takes submissions until it has so many events."""

_answers = TypeAdapter(list[Result])

Answer = Sequence[Result] | Exception


class SendsSoon(Protocol):
    """The relay, as the writer sees it."""

    def send_soon(self, rows: Sequence[Sendable]) -> None: ...


class KeyTakenError(Exception):
    """Another gateway committed the same key since this transaction looked."""


class JournalWriter:
    """Implements the port `Journal`.

    Whoever finds nobody writing commits for all who wait by then. If that transaction fails for a reason
    of its own, each submission gets one to itself, so that none fails for another's sake.
    """

    def __init__(
        self, database: Database, relay: SendsSoon, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._relay = relay
        self._clock = clock
        self._turn = asyncio.Lock()
        self._waiting: deque[tuple[Submission, asyncio.Future[Sequence[Result]]]] = deque()

    async def append(self, submission: Submission) -> Sequence[Result]:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((submission, done))
        try:
            async with self._turn:
                while not done.done():
                    await self._write_some()
        except asyncio.CancelledError:
            done.cancel()
            raise
        return await done

    async def _write_some(self) -> None:
        taken: list[tuple[Submission, asyncio.Future[Sequence[Result]]]] = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0][0].parts) <= ROWS):
            submission, done = self._waiting.popleft()
            if not done.cancelled():
                taken.append((submission, done))
                size += len(submission.parts)
        try:
            answers = await self._answers([submission for submission, _ in taken])
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(taken))  # whoever writes next takes them
            raise
        for (_, done), answer in zip(taken, answers, strict=True):
            if done.cancelled():
                continue
            if isinstance(answer, Exception):
                done.set_exception(answer)
            else:
                done.set_result(answer)

    async def _answers(self, submissions: Sequence[Submission]) -> Sequence[Answer]:
        try:
            return await self._commit(submissions)
        except KeyTakenError:
            return await self._answers(submissions)
        except Exception as error:  # noqa: BLE001 whatever it is, everybody who waits is answered
            if len(submissions) == 1 or is_infrastructure(error):
                return [error] * len(submissions)
            log.warning("commit_shared_failed", extra={"error": type(error).__name__})
        alone = [await self._answers([submission]) for submission in submissions]
        return [answer for (answer,) in alone]

    async def _commit(self, submissions: Sequence[Submission]) -> Sequence[Answer]:
        async with self._database.transaction() as session:
            work = _Work(session, self._clock())
            answers = await work.do(submissions)
        self._relay.send_soon(work.inserted)
        return answers


class _Work:
    """One transaction."""

    def __init__(self, session: AsyncSession, now: datetime) -> None:
        self._session = session
        self._now = now
        self.inserted: list[JournalRow] = []

    async def do(self, submissions: Sequence[Submission]) -> Sequence[Answer]:
        used = await self._used_keys([item.key for item in submissions if item.key])
        fresh = [item for item in submissions if item.key not in used]
        entries = [part for item in fresh for part in item.parts if isinstance(part, Entry)]
        inserted = await self._insert(entries)
        known = await self._known([entry.envelope.id for entry in entries if id(entry) not in inserted])
        answers: list[Answer] = []
        keys: list[UsedKey] = []
        for item in submissions:
            if item.key in used:
                answers.append(_replayed(item, used[item.key]))
                continue
            results = [
                self._result(part, inserted, known) if isinstance(part, Entry) else part
                for part in item.parts
            ]
            answers.append(results)
            if item.key and any(isinstance(result, Receipt) for result in results):
                keys.append(_used(item, item.key, results, self._now))
        await self._insert_keys(keys)
        return answers

    async def _used_keys(self, keys: Sequence[IdempotencyKey]) -> dict[IdempotencyKey | None, UsedKey]:
        if not keys:
            return {}
        pair = tuple_(col(UsedKey.principal), col(UsedKey.key))
        found = await self._session.scalars(
            select(UsedKey).where(pair.in_([(key.principal, key.key) for key in keys]))
        )
        return {IdempotencyKey(row.principal, row.key): row for row in found}

    async def _insert(self, entries: Sequence[Entry]) -> set[int]:
        """Inserts each timely entry whose id is new; answers which (by identity) were."""
        first: dict[str, Entry] = {}
        for entry in entries:
            if entry.untimely is None:
                first.setdefault(entry.envelope.id, entry)
        rows = {event_id: self._columns(first[event_id]) for event_id in sorted(first)}
        new = set(await insert_new(self._session, JournalRow, list(rows.values()), "id"))
        self.inserted = [JournalRow(**rows[event_id]) for event_id in rows if event_id in new]
        return {id(entry) for event_id, entry in first.items() if event_id in new}

    def _columns(self, entry: Entry) -> dict[str, Any]:
        return {
            **sendable_columns(entry.envelope, entry.queue),
            "created_at": self._now,
            "open": True,
            "status": "waiting",
            "attempts": 0,
            "uncertain": False,
            "filled": True,
            "fingerprint": entry.fingerprint,
        }

    async def _known(self, ids: Sequence[str]) -> dict[str, JournalRow]:
        if not ids:
            return {}
        found = await self._session.scalars(select(JournalRow).where(col(JournalRow.id).in_(set(ids))))
        return {row.id: row for row in found}

    def _result(self, entry: Entry, inserted: set[int], known: dict[str, JournalRow]) -> Result:
        envelope = entry.envelope
        if id(entry) in inserted:
            status = status_of("waiting", envelope.not_before, self._now)
            return _receipt(envelope.id, envelope.type, entry.queue, status=status, duplicate=False)
        row = known.get(envelope.id)
        if row is None:
            assert entry.untimely is not None  # noqa: S101 - every other entry was inserted or is known
            return entry.untimely
        if row.fingerprint != entry.fingerprint:
            return Problem(Kind.ID_CONFLICT).body
        status = status_of(row.status, row.not_before, self._now)
        return _receipt(row.id, row.type, row.queue, status=status, duplicate=True)

    async def _insert_keys(self, keys: Sequence[UsedKey]) -> None:
        rows = [key.model_dump() for key in sorted(keys, key=lambda key: (key.principal, key.key))]
        new = await insert_new(self._session, UsedKey, rows, "key")
        if len(new) < len(rows):
            raise KeyTakenError


def _receipt(event_id: str, type_name: str, queue: str, *, status: Status, duplicate: bool) -> Receipt:
    return Receipt(id=event_id, type=type_name, queue=queue, status=status, duplicate=duplicate)


def _replayed(submission: Submission, used: UsedKey) -> Answer:
    if used.fingerprint != submission.fingerprint:
        return KeyReusedError()
    return _answers.validate_json(used.answer)


def _used(submission: Submission, key: IdempotencyKey, results: Sequence[Result], now: datetime) -> UsedKey:
    return UsedKey(
        principal=key.principal,
        key=key.key,
        fingerprint=submission.fingerprint,
        answer=_answers.dump_json(list(results)).decode(),
        created_at=now,
    )
