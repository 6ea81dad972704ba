"""What the app shows to a person: the messages of the channel `in-app`."""

from collections.abc import Sequence

from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from notification_worker.adapters.tables import MessageRow
from notification_worker.domain import IN_APP, MessageState
from shared.store.statements import UNSYNCED
from shared.store.tables import utc_now


class UnknownNotificationError(LookupError):
    """The person has no such notification."""


class InApp:
    """One person's list, in the transaction of a session, which stays the caller's."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._theirs = (
            col(MessageRow.channel) == IN_APP,
            col(MessageRow.address) == user_id,
            col(MessageRow.state).in_([MessageState.SENT, MessageState.READ]),
        )

    async def find(self, notification_id: str) -> MessageRow:
        """Raises UnknownNotificationError."""
        found = await self._session.execute(
            select(MessageRow).where(*self._theirs, col(MessageRow.id) == notification_id)
        )
        row = found.scalar_one_or_none()
        if row is None:
            raise UnknownNotificationError
        return row

    async def page(self, *, limit: int, after: str | None, unread: bool) -> tuple[Sequence[MessageRow], bool]:
        """Notifications behind the one with the id `after`, newest first, and whether there are more.

        Raises UnknownNotificationError for an `after` that is none of the person's.
        """
        wanted = select(MessageRow).where(*self._theirs)
        if unread:
            wanted = wanted.where(col(MessageRow.state) == MessageState.SENT)
        if after is not None:
            last = await self.find(after)
            place = tuple_(col(MessageRow.created_at), col(MessageRow.id))
            wanted = wanted.where(place < (last.created_at, last.id))
        wanted = wanted.order_by(col(MessageRow.created_at).desc(), col(MessageRow.id).desc())
        rows = (await self._session.execute(wanted.limit(limit + 1))).scalars().all()
        return rows[:limit], len(rows) > limit

    async def mark_read(self, notification_id: str) -> MessageRow:
        """The notification, read: since now, or since it was read first. Raises UnknownNotificationError."""
        read = (
            update(MessageRow)
            .where(
                *self._theirs,
                col(MessageRow.id) == notification_id,
                col(MessageRow.state) == MessageState.SENT,
            )
            .values(state=MessageState.READ, read_at=utc_now())
        )
        await self._session.execute(read, execution_options=UNSYNCED)
        return await self.find(notification_id)
