"""Statements on many rows that SQLModel does not have: insert if new, insert or overwrite, update each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel


async def insert_new(
    session: AsyncSession, model: type[SQLModel], rows: Sequence[Mapping[str, Any]], key: str
) -> list[Any]:
    """Inserts the rows whose primary key is new, and answers their column `key`.

    Of rows with the same primary key the first counts. RETURNING tells which are new, because a driver's
    count of rows cannot be trusted for this. Give the rows in the order of their keys: two transactions
    then never wait for each other.
    """
    if not rows:
        return []
    statement = _insert(session, model).on_conflict_do_nothing().returning(_column(model, key))
    return list((await session.execute(statement, list(rows))).scalars())


async def upsert(session: AsyncSession, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts the rows, or overwrites those whose primary key is there; each key may come once."""
    if not rows:
        return
    statement = _insert(session, model)
    keys = [column.name for column in _table(model).primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))


async def update_each(
    session: AsyncSession,
    model: type[SQLModel],
    condition: Callable[[Any], ColumnElement[bool]],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Sets the columns of each row where `condition` holds, which refers to `bindparam`s of other names."""
    if not rows:
        return
    table = _table(model)
    connection = await session.connection()
    await connection.execute(table.update().where(condition(table.c)), list(rows))


def _insert(session: AsyncSession, model: type[SQLModel]) -> sqlite.Insert | postgresql.Insert:
    dialect = session.get_bind().dialect.name
    return sqlite.insert(_table(model)) if dialect == "sqlite" else postgresql.insert(_table(model))


def _table(model: type[SQLModel]) -> Any:
    return model.__table__  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType] - set by SQLModel


def _column(model: type[SQLModel], name: str) -> ColumnElement[Any]:
    return _table(model).c[name]
