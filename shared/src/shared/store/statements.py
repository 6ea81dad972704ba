"""Statements that the databases spell differently."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from shared.store.tables import Sendable


def insert_into(session: AsyncSession, table: type[SQLModel]) -> Any:
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`, for the session's database.

    Ask with RETURNING whether a row was inserted: the row count of such a statement is not to be trusted.
    """
    dialect = session.get_bind().dialect.name
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)


async def lock_in_order(session: AsyncSession, table: type[Sendable], ids: Iterable[str]) -> None:
    """Locks those of the rows that are there: who does so before changing them never waits crosswise.

    A change of many rows takes them in whatever order they are found. SQLite has no such locks and needs
    none: its transactions that write follow one another.
    """
    if session.get_bind().dialect.name == "postgresql":
        known = select(col(table.id)).where(col(table.id).in_(sorted(ids)))
        await session.execute(known.order_by(col(table.id)).with_for_update())
