"""Statements that the databases spell differently, or that SQLModel does not have."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, inspect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from shared.store.tables import Sendable

REREAD: Mapping[str, Any] = {"populate_existing": True}
"""For a query: what is read is what the database holds, even where the session has seen it before."""
UNSYNCED: Mapping[str, Any] = {"synchronize_session": False}
"""For a change: what the session has seen stays as it was. Whoever reads it again asks with `REREAD`."""


def _insert_into(session: AsyncSession, table: Any) -> Any:
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`, for the session's database.

    What was inserted is asked with RETURNING: the row count of such a statement is not to be trusted.
    """
    dialect = session.get_bind().dialect.name
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)


async def add_new(session: AsyncSession, table: type[SQLModel], row: Mapping[str, Any]) -> bool:
    """Inserts the row unless its key, or what else is unique in it, is there; whether it did."""
    added = _insert_into(session, table).values(dict(row)).on_conflict_do_nothing()
    return (await session.execute(added.returning(*inspect(table).primary_key))).first() is not None


async def insert_new(
    session: AsyncSession, table: type[SQLModel], rows: Sequence[Mapping[str, Any]], key: str
) -> list[Any]:
    """Inserts the rows whose primary key is new, and answers their column `key`.

    They have the same columns. Of rows with the same primary key the first counts. Give the rows in the
    order of their keys: two transactions then never wait for each other.
    """
    if not rows:
        return []
    bare = inspect(table).local_table
    new = _insert_into(session, bare).on_conflict_do_nothing().returning(bare.c[key])
    return list((await session.execute(new, list(rows))).scalars())


async def upsert(
    session: AsyncSession,
    table: type[SQLModel],
    rows: Sequence[Mapping[str, Any]],
    *,
    where: ColumnElement[bool] | None = None,
) -> None:
    """Inserts the rows, or overwrites those whose primary key is there (and that `where` holds for).

    They have the same columns, and each key may come once.
    """
    if not rows:
        return
    insert = _insert_into(session, inspect(table).local_table)
    keys = [column.name for column in inspect(table).primary_key]
    changed = {name: insert.excluded[name] for name in rows[0] if name not in keys}
    overwriting = insert.on_conflict_do_update(index_elements=keys, set_=changed, where=where)
    await session.execute(overwriting, list(rows))


async def update_each(
    session: AsyncSession,
    table: type[SQLModel],
    condition: Callable[[Any], ColumnElement[bool]],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Sets the columns of each row where `condition` holds, which refers to `bindparam`s of other names."""
    if not rows:
        return
    bare: Any = inspect(table).local_table
    connection = await session.connection()
    await connection.execute(bare.update().where(condition(bare.c)), list(rows))


async def lock_in_order(session: AsyncSession, table: type[Sendable], ids: Iterable[str]) -> None:
    """Locks those of the rows that are there: who does so before changing them never waits crosswise.

    A change of many rows takes them in whatever order they are found. SQLite has no such locks and needs
    none: its transactions that write follow one another.
    """
    if session.get_bind().dialect.name == "postgresql":
        known = select(col(table.id)).where(col(table.id).in_(sorted(ids)))
        await session.execute(known.order_by(col(table.id)).with_for_update())
