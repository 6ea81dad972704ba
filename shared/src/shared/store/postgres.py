"""How long PostgreSQL and its clients wait for each other, so that neither holds the other up for ever.

The server ends a session that has gone silent in the middle of a transaction: a worker that is frozen
holds no row for longer than its lease. A transaction that is alive and has nothing to say meanwhile, for
its handler is at work, says a word now and then. The client ends a connection on which it waits in vain.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from psycopg import AsyncConnection, Error, OperationalError
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """All in seconds."""

    idle: float = 6.0
    """How long the server bears a session that is silent within a transaction.

    A default lease; a worker says its own. Its holder's events are taken over at that moment, and their
    taker must not wait for rows which a frozen holder still has. Both are done well within ten seconds.
    """
    silence: float = 20.0
    """How long a client waits for an answer.

    As long as it bears a network without a word. Above what a statement takes, or waits for a lock that
    is not a handler's. A copy that waits for a slow handler is cut off and comes again, as from any trouble
    of the database: its consumer fetches nothing until a ping is answered, and with the fifth time the
    copy has failed once.
    """
    connecting: int = 5


def server_settings(limits: Limits, *, lock_wait: float | None) -> Mapping[str, int]:
    """What the server is told of a session, in milliseconds. `lock_wait` bounds the wait for a lock."""
    settings = {"idle_in_transaction_session_timeout": limits.idle, "lock_timeout": lock_wait}
    return {name: round(value * 1000) for name, value in settings.items() if value}


def pooled_arguments() -> Mapping[str, Any]:
    """What psycopg connects with to a PgBouncer that gives a server to each transaction.

    It prepares no statements, which would stay behind at a server that the next transaction may not have.
    """
    return {"prepare_threshold": None}


def as_statement(settings: Mapping[str, int]) -> str:
    """Sets them for the transaction that it is the first statement of, and for no longer.

    For a pooler in the mode `transaction`, which refuses settings at the start of a connection.
    """
    return "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())


def connect_arguments(limits: Limits, settings: Mapping[str, int], *, options: str = "") -> Mapping[str, Any]:
    """What psycopg connects with. `options` are those that the URL has itself; they have the last word."""
    own = " ".join(f"-c {name}={value}" for name, value in settings.items())
    told = f"{own} {options}".strip()
    return {
        "connect_timeout": limits.connecting,
        "keepalives_idle": 5,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
        **({"options": told} if told else {}),
        "async_creator_fn": _connector(limits.silence),
    }


def _connector(silence: float) -> Callable[..., Awaitable[AsyncConnection]]:
    async def connect(*arguments: Any, **options: Any) -> AsyncConnection:
        connection = await _ImpatientConnection.connect(*arguments, **options)
        connection.silence = silence
        return connection

    return connect


class _ImpatientConnection(AsyncConnection[Any]):
    """Ends itself when the server leaves it without a word, and then raises `OperationalError`.

    No cancellation of a task does that: psycopg answers one by asking the same server to cancel.
    """

    silence: float
    """Whoever connects sets it."""

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:  # noqa: ASYNC109 psycopg's
        return await super().wait(self._listening(gen, round(self.silence / interval)), interval, timeout)

    def _listening(self, waiting: PQGen[T], patience: int) -> PQGen[T]:
        """Passes on what psycopg looks for and finds.

        Looks are counted, and not seconds: where this process was frozen, the server is not to blame.
        """
        quiet = 0
        try:
            wanted = next(waiting)
            while True:
                ready = yield wanted
                quiet = 0 if ready else quiet + 1
                if quiet >= patience:
                    self.pgconn.finish()
                    raise OperationalError(f"no answer within {self.silence:g} s: the connection is given up")
                wanted = waiting.send(ready)
        except StopIteration as end:
            return end.value


class KeptAlive:
    """While its block runs, the server hears of the transaction that is open on this connection.

    It costs a timer unless the transaction is a long one. What it says may run into another statement's
    time: psycopg lets one after the other through. What goes wrong here, the next statement will tell.
    """

    def __init__(self, connection: AsyncConnection[Any], *, every: float) -> None:
        """`every` so many seconds."""
        self._connection = connection
        self._every = every
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every, self._begin)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._stopped.set()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while not self._stopped.is_set():
            with suppress(Error):
                if self._connection.info.transaction_status in _OPEN:
                    await self._connection.execute("SELECT 1")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._stopped.wait()


_OPEN = {TransactionStatus.INTRANS, TransactionStatus.INERROR}
