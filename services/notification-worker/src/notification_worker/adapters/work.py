"""The transactions of a run, and what the use cases keep in them, in SQL."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from notification_worker.adapters.tables import BatchRow, MessageRow
from notification_worker.adapters.templates import SqlTemplates
from notification_worker.domain import Content, Message, MessageState, Template
from shared.events import Envelope, Event, Priority
from shared.store.claims import claim
from shared.store.statements import REREAD, UNSYNCED, add_new
from shared.store.steps import Steps
from shared.store.unit import Unit


class SqlWork:
    """Implements the port `Work`."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.event_id = steps.envelope.id
        self.run = steps.envelope.run

    @property
    def is_expired(self) -> bool:
        return self._steps.is_expired

    def now(self) -> datetime:
        return self._steps.now()

    def step(self) -> "AbstractAsyncContextManager[SqlStore]":
        return self._in(self._steps.step())

    def last(self) -> "AbstractAsyncContextManager[SqlStore]":
        return self._in(self._steps.last())

    @asynccontextmanager
    async def _in(self, transaction: AbstractAsyncContextManager[Unit]) -> "AsyncGenerator[SqlStore]":
        async with transaction as unit:
            yield SqlStore(unit, self._steps)


async def in_doubt(session: AsyncSession, envelope: Envelope) -> bool:
    """Whether a mail of this event may have gone out though nobody has seen that, or twice."""
    may_have_gone = (col(MessageRow.state) == MessageState.SENDING) | col(MessageRow.uncertain)
    found = select(col(MessageRow.id)).where(col(MessageRow.event_id) == envelope.id, may_have_gone).limit(1)
    return (await session.execute(found)).first() is not None


class SqlStore:
    """Implements the port `Store`."""

    def __init__(self, unit: Unit, steps: Steps) -> None:
        self._unit, self._steps = unit, steps
        self._session = unit.session

    async def find_template(self, key: str, locale: str | None) -> Template | None:
        return await SqlTemplates(self._session).nearest(key, locale)

    async def add(self, message: Message) -> Message:
        values = {**asdict(message), "run": self._steps.envelope.run, "updated_at": message.created_at}
        del values["content"]  # it is decided once this is known to be new
        if await add_new(self._session, MessageRow, values):
            return message
        known = await self._lock(message.id)
        if known.state == MessageState.SKIPPED and message.state is MessageState.QUEUED:
            known.state, known.reason, known.address = message.state, None, message.address
        return _message(known)

    async def write(self, message: Message, template: str) -> None:
        written = (
            update(MessageRow)
            .where(col(MessageRow.id) == message.id)
            .values(
                state=message.state,
                template=template,
                updated_at=self._steps.now(),
                **_columns(message.content),
            )
        )
        await self._session.flush()
        await self._session.execute(written, execution_options=UNSYNCED)

    async def claim(self, message_id: str, *, lasting: float) -> Message | None:
        row = await self._lock(message_id)
        if row.state == MessageState.SENT:
            return _message(row)
        if row.run > self._steps.envelope.run:
            return None  # its event has a later run, and this one is a zombie's
        is_mine = await claim(
            self._session,
            MessageRow,
            col(MessageRow.id) == message_id,
            owner=self._steps.owner,
            now=self._steps.now(),
            lasting=timedelta(seconds=lasting),
        )
        if not is_mine:
            return None
        if row.state == MessageState.SENDING:
            row.uncertain, row.sendings = True, row.sendings + 1
        if row.run != self._steps.envelope.run:
            row.sendings = 0
        row.state, row.run, row.reason = MessageState.SENDING, self._steps.envelope.run, None
        row.updated_at = self._steps.now()
        return _message(row)

    async def settle(self, message: Message) -> None:
        settled = update(MessageRow).where(col(MessageRow.id) == message.id)
        if message.state is MessageState.SENT:
            settled = settled.values(_columns(None))
        else:
            settled = settled.where(
                col(MessageRow.claim_owner) == self._steps.owner,
                col(MessageRow.state) == MessageState.SENDING,
            ).values(uncertain=message.uncertain, sendings=message.sendings)
        settled = settled.values(
            state=message.state,
            reason=message.reason,
            updated_at=self._steps.now(),
            claim_owner=None,
            claim_until=None,
        )
        await self._session.execute(settled, execution_options=UNSYNCED)

    async def batch_position(self, total: int) -> int:
        event_id = self._unit.envelope.id
        nothing = {"event_id": event_id, "position": 0, "total": total, "updated_at": self._steps.now()}
        await add_new(self._session, BatchRow, nothing)
        locked = await self._session.execute(
            select(col(BatchRow.position)).where(col(BatchRow.event_id) == event_id).with_for_update()
        )
        return locked.scalar_one()

    async def move_batch(self, position: int) -> None:
        moved = (
            update(BatchRow)
            .where(col(BatchRow.event_id) == self._unit.envelope.id)
            .values(position=position, updated_at=self._steps.now())
        )
        await self._session.execute(moved, execution_options=UNSYNCED)

    def publish_child(self, event: Event, *, id: str) -> None:  # noqa: A002 the envelope's word
        self._unit.publish(event, id=id, priority=Priority.LOW)

    async def _lock(self, message_id: str) -> MessageRow:
        locked = await self._session.execute(
            select(MessageRow).where(col(MessageRow.id) == message_id).with_for_update(),
            execution_options=REREAD,
        )
        return locked.scalar_one()


def _columns(content: Content | None) -> dict[str, str | None]:
    return {
        "subject": content.subject if content else None,
        "text": content.text if content else None,
        "html": content.html if content else None,
    }


def _message(row: MessageRow) -> Message:
    return Message(
        id=row.id,
        event_id=row.event_id,
        recipient=row.recipient,
        channel=row.channel,
        address=row.address,
        state=MessageState(row.state),
        created_at=row.created_at,
        reason=row.reason,
        run=row.run,
        uncertain=row.uncertain,
        sendings=row.sendings,
        content=None if row.subject is None else Content(row.subject, row.text, row.html),
    )
