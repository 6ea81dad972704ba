"""Migrations: each service has its own Alembic revisions; `migrate` is their one way in.

A service's folder `migrations/` holds `env.py`, which only calls `run`, and `versions/`. The first
revision of a worker calls `create_delivery_tables` beside making its own.
"""

import sqlite3
import time
from importlib.resources import as_file, files
from typing import Any

import sqlalchemy as sa
from alembic import command, context, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, text

from shared.store.database import BUSY_TIMEOUT_SECONDS, async_url, is_pooled
from shared.store.postgres import pooled_arguments
from shared.store.tables import UtcDateTime

LOCK = 7_305_511_002_834
"""The advisory lock of migrations on PostgreSQL; any number that nothing else there locks."""


def migrate(url: str, package: str) -> None:
    """Brings the database to the newest revision of `package`.

    All of it in one transaction, so that it is safe to run from several processes at once, and
    again. A database that a newer version has migrated is left as it is: migrations add before they take
    away, so that the version before runs on it. Makes a SQLite file that is not there. Raises what the
    database raises.
    """
    engine = create_engine(_sync_url(url), poolclass=sa.NullPool, connect_args=_connect_args(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _connected_to_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    with as_file(files(package) / "migrations") as folder, engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        if not _is_newer(connection, ScriptDirectory(str(folder))):
            command.upgrade(config, "head")


def _is_newer(connection: Connection, scripts: ScriptDirectory) -> bool:
    """Whether the database is at a revision that these scripts do not know."""
    known = {script.revision for script in scripts.walk_revisions()}
    return not set(MigrationContext.configure(connection).get_current_heads()) <= known


def run() -> None:
    """The whole of a service's `env.py`."""
    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


def sendable_columns_v1() -> list[sa.Column[object]]:
    """The columns of `Sendable` as they were first made."""
    return [
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("queue", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("time", UtcDateTime, nullable=False),
        sa.Column("correlation_id", sa.String, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("subject", sa.String),
        sa.Column("causation_id", sa.String),
        sa.Column("priority", sa.String, nullable=False),
        sa.Column("not_before", UtcDateTime),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("max_attempts", sa.Integer),
        sa.Column("traceparent", sa.String),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("sent_epoch", sa.String),
        sa.Column("claimed_until", UtcDateTime),
    ]


def create_sendable_indexes_v1(table: str) -> None:
    where = sa.text("open")
    op.create_index(
        f"ix_{table}_open", table, ["queue", "sent_epoch"], sqlite_where=where, postgresql_where=where
    )


def create_delivery_tables_v1() -> None:
    """Inbox, attempts and outbox, as a worker's first revision makes them."""
    op.create_table("outbox", *sendable_columns_v1())
    create_sendable_indexes_v1("outbox")
    op.create_table(
        "inbox",
        sa.Column("event_id", sa.String, primary_key=True),
        sa.Column("run", sa.Integer, primary_key=True),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("worker", sa.String, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("error", sa.Text),
        sa.Column("traceback", sa.Text),
        sa.Column("raw", sa.LargeBinary),
        sa.Column("correlation_id", sa.String),
        sa.Column("uncertain", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("unreported", sa.Boolean, nullable=False),
    )
    op.create_table(
        "attempt",
        sa.Column("event_id", sa.String, primary_key=True),
        sa.Column("run", sa.Integer, primary_key=True),
        sa.Column("delivery", sa.String, primary_key=True),
        sa.Column("effort", sa.String, nullable=False),
        sa.Column("worker", sa.String, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("retry_at", UtcDateTime),
        sa.Column("reason", sa.String),
        sa.Column("error", sa.Text),
        sa.Column("traceback", sa.Text),
        sa.Column("unreported", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    for table in ("inbox", "attempt"):
        where = sa.text("unreported")
        op.create_index(
            f"ix_{table}_unreported", table, ["ended_at"], sqlite_where=where, postgresql_where=where
        )


def claim_columns_v1() -> list[sa.Column[object]]:
    """The columns of `Claimable` as they were first made."""
    return [sa.Column("claim_owner", sa.String), sa.Column("claim_until", UtcDateTime)]


def _sync_url(url: str) -> sa.URL:
    target = async_url(url)
    return target.set(drivername=target.drivername.replace("+aiosqlite", ""))


def _connect_args(url: str) -> dict[str, Any]:
    if async_url(url).get_backend_name() == "sqlite":
        return {"timeout": BUSY_TIMEOUT_SECONDS}
    return {"connect_timeout": 5, **(pooled_arguments() if is_pooled(url) else {})}


def _connected_to_sqlite(connection: sqlite3.Connection, _: object) -> None:
    """Leaves transactions to us, and the file in WAL mode, in which it stays.

    Who turns it is told at once that the file is locked if another does so, too, however patient it is
    otherwise. Done here, it is done before a service makes its first connections, several at once.
    """
    connection.isolation_level = None
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
