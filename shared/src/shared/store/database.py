"""One service's database: a SQLite file or a PostgreSQL database, the same to its callers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from typing import Any

from sqlalchemy import URL, Connection, Engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from shared.store.postgres import (
    KeptAlive,
    Limits,
    as_statement,
    connect_arguments,
    pooled_arguments,
    server_settings,
)

DEFAULT_LIMITS = Limits()
BUSY_TIMEOUT_SECONDS = 10
"""How long a SQLite connection waits for another process's write before it says `locked`."""

PING_SECONDS = 1.2
"""How long a ping may take: less than a check of readiness, so that it gives up by itself. Cancelled in its
own end it would leave a connection behind."""
SILENCE_SECONDS = 1.0
"""How long it waits for a server that says nothing."""


class ReadOnlyError(Exception):
    """The database answers and takes no writes: a standby, or one that is failing over."""


class Database:
    """Transactions on one database.

    `transaction` commits when its block ends and rolls back when it raises; `reading` is for
    queries only. On SQLite every write transaction begins IMMEDIATE, because a deferred one fails
    on the upgrade of its lock whatever the busy timeout, and writers of this process queue up
    fairly instead of polling for the lock.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        patience: float | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Takes `sqlite:///path` or `postgresql://…`, with or without a driver's name.

        `?pgbouncer=true` says that a PgBouncer answers there, in the mode `transaction`.

        Connects on first use. `patience`, in seconds, bounds the wait for a turn to write on SQLite, and
        for a lock on PostgreSQL, for a service whose callers do not wait; a worker's deliveries wait as
        long as it takes. `limits` are for PostgreSQL.
        """
        self._patience = patience
        self._limits = limits
        self.url = async_url(url)
        self._is_pooled = is_pooled(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._engine = self._make_engine(pool_size, limits, busy_timeout=BUSY_TIMEOUT_SECONDS)
        # a ping does not wait as long as a write
        self._pinger = self._make_engine(1, replace(limits, silence=SILENCE_SECONDS), busy_timeout=1)
        self._writing = False
        self._writer = asyncio.Lock() if self.is_sqlite else None

    def _make_engine(self, pool_size: int, limits: Limits, *, busy_timeout: int) -> AsyncEngine:
        options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": 5}
        if self.is_sqlite:
            engine = create_async_engine(self.url, **options, connect_args={"timeout": busy_timeout})
            _configure_sqlite(engine.sync_engine)
            return engine
        settings = server_settings(limits, lock_wait=self._patience)
        if self._is_pooled:
            arguments = {**connect_arguments(limits, {}), **pooled_arguments()}
        else:
            own = " ".join(self.url.normalized_query.get("options", ()))
            arguments = connect_arguments(limits, settings, options=own)
        engine = create_async_engine(self.url, **options, pool_pre_ping=True, connect_args=arguments)
        if self._is_pooled:
            _set_in_each_transaction(engine.sync_engine, as_statement(settings))
        return engine

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """A session whose changes are committed together at the end, or not at all."""
        async with self._turn(), AsyncSession(self._engine, expire_on_commit=False) as session:
            if self.is_sqlite:
                await session.connection()  # BEGIN IMMEDIATE: from here on the lock is ours
                self._writing = True
            with await self._kept_alive(session):
                yield session
            await session.commit()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession]:
        """A session for queries; it takes no write lock, and what it changes is rolled back."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            await session.connection(execution_options={"reading": True})
            with await self._kept_alive(session):
                yield session

    async def _kept_alive(self, session: AsyncSession) -> AbstractContextManager[None]:
        """For as long as the block takes: at work or frozen, a handler looks the same to the server."""
        if self.is_sqlite:
            return nullcontext()
        pooled = await (await session.connection()).get_raw_connection()
        connection: Any = pooled.driver_connection
        return KeptAlive(connection, every=self._limits.idle / 3)

    async def ping(self, *, within: float = PING_SECONDS) -> None:
        """Returns if the database answers and takes writes; raises within `within` seconds otherwise.

        On SQLite that is whether the write lock can be had, or is in this process's own hands.
        """
        async with asyncio.timeout(within), self._pinger.connect() as connection:
            if self._writing:
                await connection.execution_options(reading=True)
            if self.is_sqlite:
                await connection.execute(text("SELECT 1"))
            elif await connection.scalar(text("SELECT current_setting('transaction_read_only')")) == "on":
                raise ReadOnlyError("the database takes no writes")

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        """This task's turn to write, where there can be only one; raises like a pool that is exhausted."""
        if self._writer is None:
            yield
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._writer.acquire()
        except TimeoutError:
            raise PoolTimeoutError("other transactions of this process have not ended") from None
        try:
            yield
        finally:
            self._writing = False
            self._writer.release()

    async def close(self) -> None:
        await self._engine.dispose()
        await self._pinger.dispose()


def async_url(url: str) -> URL:
    """The URL with the driver that this package uses."""
    parsed = make_url(url)
    drivers = {
        "sqlite": "sqlite+aiosqlite",
        "postgresql": "postgresql+psycopg",
        "postgres": "postgresql+psycopg",
    }
    backend = parsed.drivername.split("+")[0]
    if backend not in drivers:
        raise ValueError(f"the database must be sqlite or postgresql, not {backend}")
    is_pooled(url)
    return parsed.set(drivername=drivers[backend]).difference_update_query([_POOLED])


_POOLED = "pgbouncer"
"""The word that others use for it in an address, too. It is for us and not for the driver."""


def is_pooled(url: str) -> bool:
    """Whether the URL says that a PgBouncer answers. Raises `ValueError` where it says it wrongly."""
    parsed = make_url(url)
    said = parsed.normalized_query.get(_POOLED, ("false",))
    if said not in {("true",), ("false",)}:
        raise ValueError("pgbouncer must be true or false")
    if said == ("true",) and (parsed.get_backend_name() == "sqlite" or "options" in parsed.query):
        raise ValueError("pgbouncer=true is for PostgreSQL, and takes no options of the session")
    return said == ("true",)


def is_infrastructure(error: BaseException) -> bool:
    """Whether the database, not the statement, is to blame: gone, locked, full, failing over.

    Such an error burns no attempt. A constraint that is violated or a value that does not fit is
    the statement's fault. What an error says is not looked at: a handler's may say anything.
    """
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeoutError | ReadOnlyError)
    gone = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return gone or getattr(error.orig, "sqlstate", None) in _OF_THE_SERVER


_OF_THE_SERVER = {"25006", "25P03"}
"""PostgreSQL takes no writes, or has ended a silent session: for psycopg these are internal errors."""


def _configure_sqlite(engine: Engine) -> None:
    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begun(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    def invalidated(connection: Any, *_: object) -> None:
        # A statement that was cut off keeps its lock until its cursor is freed, and the error that cut it
        # off may hold on to that; the close that follows here does not end it. A rollback before it does.
        driver = connection.driver_connection
        if driver._connection is not None:  # noqa: SLF001 aiosqlite has no way in that does not wait
            driver._tx.put_nowait((None, driver._connection.rollback))  # noqa: SLF001 aiosqlite has no other way

    event.listen(engine, "connect", connected)
    event.listen(engine, "invalidate", invalidated)
    event.listen(engine, "begin", begun)


def _set_in_each_transaction(engine: Engine, statement: str) -> None:
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    event.listen(engine, "begin", begun)
