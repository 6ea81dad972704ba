"""Claims on intents: who may make the call that a row stands for, and until when.

A claim is committed before the call. It ends by its time, so that the intent of a worker that died is
taken up by the next; whoever takes it up must be able to repeat the call (architecture, effects
outside of the database).
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from shared.store.statements import UNSYNCED
from shared.store.tables import UtcDateTime


class Claimable(SQLModel):
    """The columns of an intent that one worker at a time may act on."""

    claim_owner: str | None = None
    claim_until: datetime | None = Field(default=None, sa_type=UtcDateTime)


async def claim(
    session: AsyncSession,
    table: type[Claimable],
    *where: ColumnElement[bool],
    owner: str,
    now: datetime,
    lasting: timedelta,
) -> bool:
    """Claims the row for `owner` from `now` on; False where it is another's, or not there.

    `lasting` has to be longer than the call takes at most.
    """
    free = or_(
        col(table.claim_owner).is_(None),
        col(table.claim_owner) == owner,
        col(table.claim_until) <= now,
    )
    claimed = (
        update(table)
        .where(*where, free)
        .values(claim_owner=owner, claim_until=now + lasting)
        .returning(col(table.claim_owner))
    )
    rows: Any = await session.execute(claimed, execution_options=UNSYNCED)
    return rows.first() is not None


async def release(
    session: AsyncSession, table: type[Claimable], *where: ColumnElement[bool], owner: str
) -> None:
    """Gives back what `owner` has claimed, once its call has ended, so that a retry need not wait."""
    released = (
        update(table)
        .where(*where, col(table.claim_owner) == owner)
        .values(claim_owner=None, claim_until=None)
    )
    await session.execute(released, execution_options=UNSYNCED)
