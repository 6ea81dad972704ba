"""Statements that the databases spell differently."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel


def insert_into(session: AsyncSession, table: type[SQLModel]) -> Any:
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`, for the session's database.

    Ask with RETURNING whether a row was inserted: the row count of such a statement is not to be trusted.
    """
    dialect = session.get_bind().dialect.name
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)
