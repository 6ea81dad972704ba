"""The money that moved, and the answer that belongs to each key: one SQLite file, safe against a kill.

A key is settled once: the money's entry and the answer are one commit, and whoever comes later with that
key gets that answer. What is not a matter of the key (is it the same payment?) is not looked at: like any
provider, this one takes money twice if it is asked twice with two keys.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from payment_sandbox.contracts import CaptureRequest, Entry, Movement, RefundRequest, Verdict, fingerprint
from payment_sandbox.methods import refusal_of

T = TypeVar("T")

_TABLES = """
CREATE TABLE IF NOT EXISTS entries (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, payment_id TEXT NOT NULL, order_id TEXT NOT NULL,
  amount INTEGER NOT NULL, currency TEXT NOT NULL, idempotency_key TEXT NOT NULL, at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_of_payment ON entries (payment_id);
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, verdict TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS failures (key TEXT PRIMARY KEY);
"""
_COLUMNS = "kind, payment_id, order_id, amount, currency, idempotency_key, at"


class KeyReusedError(Exception):
    """The key belongs to a request with other parameters."""


class Ledger:
    """All work is done in one thread of its own, one transaction after the other."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._connection = self._thread.submit(_open, path).result()

    async def answer(self, key: str, request: Movement) -> Verdict | None:
        """What was answered to this key before, None for a new one. Raises KeyReusedError."""
        return await self._run(lambda: self._answer(key, request))

    async def settle(self, key: str, request: CaptureRequest | RefundRequest) -> Verdict:
        """Moves the money or refuses, unless this key has been settled. Raises KeyReusedError."""
        return await self._run(lambda: self._settle(key, request))

    async def fails_first(self, key: str) -> bool:
        """True for the first call with this key, and never again."""
        return await self._run(lambda: self._fails_first(key))

    async def entries(self) -> list[Entry]:
        return await self._run(self._entries)

    def close(self) -> None:
        """Waits for what is under way."""
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _answer(self, key: str, request: Movement) -> Verdict | None:
        known = self._connection.execute(
            "SELECT fingerprint, verdict FROM answers WHERE key = ?", (key,)
        ).fetchone()
        if known is None:
            return None
        if known[0] != fingerprint(request):
            raise KeyReusedError
        return Verdict.model_validate_json(known[1])

    def _settle(self, key: str, request: CaptureRequest | RefundRequest) -> Verdict:
        with transaction(self._connection):
            known = self._answer(key, request)
            if known is not None:
                return known
            kind, verdict = self._judge(request)
            if verdict.code is None:
                moved = (kind, *_of(request), key, datetime.now(UTC).isoformat())
                self._connection.execute(f"INSERT INTO entries ({_COLUMNS}) VALUES (?,?,?,?,?,?,?)", moved)  # noqa: S608 names of columns
            answered = (key, fingerprint(request), verdict.model_dump_json())
            self._connection.execute("INSERT INTO answers VALUES (?, ?, ?)", answered)
        return verdict

    def _judge(self, request: CaptureRequest | RefundRequest) -> tuple[str, Verdict]:
        facts = request.model_dump(exclude={"method"})
        if isinstance(request, CaptureRequest):
            code = refusal_of(request.method)
            return "capture", Verdict(status="declined" if code else "captured", code=code, **facts)
        code = "refund_exceeds_capture" if request.amount > self._left_of(request) else None
        return "refund", Verdict(status="refused" if code else "refunded", code=code, **facts)

    def _left_of(self, request: Movement) -> int:
        """What was captured for the payment in this currency and not given back."""
        (left,) = self._connection.execute(
            "SELECT coalesce(sum(CASE kind WHEN 'capture' THEN amount ELSE -amount END), 0) FROM entries"
            " WHERE payment_id = ? AND currency = ?",
            (request.payment_id, request.currency),
        ).fetchone()
        return left

    def _fails_first(self, key: str) -> bool:
        failed = self._connection.execute("INSERT OR IGNORE INTO failures VALUES (?)", (key,))
        return failed.rowcount == 1

    def _entries(self) -> list[Entry]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM entries ORDER BY id")  # noqa: S608 names of columns
        names = _COLUMNS.split(", ")
        return [Entry.model_validate(dict(zip(names, row, strict=True))) for row in rows]


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Commits what the block does, or nothing of it; none is open afterwards, even if the commit fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors end it by themselves
            connection.execute("ROLLBACK")
        raise


def _of(request: Movement) -> tuple[str, str, int, str]:
    return request.payment_id, request.order_id, request.amount, request.currency


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # what was answered outlives a power cut
    connection.executescript(_TABLES)
    return connection
