"""Workers of notifications that may crash between any two steps, and what their database then holds."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from adapters.mail_server import MailServer
from notification_worker.adapters.rendering import SandboxRenderer
from notification_worker.adapters.smtp import SmtpMailer, SmtpServer
from notification_worker.adapters.tables import MessageRow
from notification_worker.adapters.work import SqlWork, in_doubt
from notification_worker.domain import CHANNELS, Mail
from notification_worker.handlers import notifications
from notification_worker.ports import MailConnection
from notification_worker.service import Batches, Notifications
from notification_worker.settings import RENDERING_SECONDS
from shared.events import Envelope, Event
from shared.events.notifications import BatchNotification, SendEmail, SendNotification
from shared.queue import Delivery, Verdict
from shared.queue.breaker import Breaker
from shared.queue.handling import Handling
from shared.store.database import Database
from shared.store.ledger import SqlLedger
from shared.store.steps import current_steps
from shared.store.tables import Inbox, Outbox
from support.deliveries import delivery
from support.queueing import wrap

LIMIT_SECONDS = 5.0


class Crash(asyncio.CancelledError):
    """The process is gone: nothing that it would have done next is done."""


@dataclass
class Worker:
    """One process. `at` says where it meets its end: `before sending`, `after sending`."""

    database: Database
    server: MailServer
    name: str = "worker-1"
    at: str | None = None
    active: frozenset[str] = frozenset(CHANNELS)
    later: timedelta = timedelta()
    """How much later than now it is."""
    before_sending: Callable[[], Any] = lambda: None
    before_last: Callable[[], Any] = lambda: None
    fetched: int = 0

    def __post_init__(self) -> None:
        sender = Address("Your shop", "shop", "shop.example")
        server = SmtpServer(host="127.0.0.1", port=self.server.port, sender=sender, time_limit=LIMIT_SECONDS)
        self.mailer = SmtpMailer(server)
        self.ledger = SqlLedger(self.database, source="notification-worker", in_doubt=in_doubt)
        breaker = Breaker(self.ledger)
        self.handling = Handling(self._process, self.ledger, breaker, notifications, is_ending=lambda: True)

    async def handle(self, envelope: Envelope, *, entry: str | None = None, **attributes: Any) -> Verdict:
        """Each call is an entry of its own, as a retry is, unless it says which."""
        return await self.handling.handle(self.delivery_of(envelope, entry=entry, **attributes))

    def delivery_of(self, envelope: Envelope, *, entry: str | None = None, **attributes: Any) -> Delivery:
        self.fetched += 1
        return delivery(
            envelope,
            entry=entry or f"{self.name}-{self.fetched}",
            worker=self.name,
            fetched_at=datetime.now(UTC) + self.later,
            **({"limit": 5} | attributes),
        )

    async def crash(self, envelope: Envelope, **attributes: Any) -> None:
        with pytest.raises(Crash):
            await self.handle(envelope, **attributes)

    async def _process(self, delivery: Delivery) -> None:
        envelope = delivery.envelope
        assert envelope is not None
        work = SqlWork(current_steps())
        service = Notifications(
            work,
            mailer=Faulty(self.mailer, self),
            renderer=SandboxRenderer(seconds=RENDERING_SECONDS),
            active=self.active,
        )
        if envelope.type == SendNotification.type:
            await service.notify(SendNotification.model_validate_json(envelope.data))
        elif envelope.type == SendEmail.type:
            await service.mail(SendEmail.model_validate_json(envelope.data))
        else:
            await Batches(work).spread(BatchNotification.model_validate_json(envelope.data))


NewWorker = Callable[..., Worker]


class Faulty:
    """The mailer of a worker that may end around a sending."""

    def __init__(self, mailer: SmtpMailer, worker: Worker) -> None:
        self._mailer, self._worker = mailer, worker
        self.longest = mailer.longest
        self.was_taken, self.forget = mailer.was_taken, mailer.forget

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[MailConnection]:
        async with self._mailer.connection() as connection:
            yield FaultyConnection(connection, self._worker)


@dataclass
class FaultyConnection:
    connection: MailConnection
    worker: Worker

    async def send(self, mail: Mail) -> None:
        if self.worker.at == "before sending":
            raise Crash
        await _awaited(self.worker.before_sending())
        await self.connection.send(mail)
        if self.worker.at == "after sending":
            raise Crash
        await _awaited(self.worker.before_last())


async def _awaited(done: Any) -> None:
    if asyncio.iscoroutine(done):
        await done


def envelope_of(event: Event, event_id: str = "e-1", **attributes: Any) -> Envelope:
    return wrap(event, id=event_id, **attributes)


async def messages(database: Database, event_id: str = "e-1") -> dict[str, MessageRow]:
    """The rows of an event by channel."""
    async with database.reading() as session:
        rows = await session.scalars(select(MessageRow).where(col(MessageRow.event_id) == event_id))
        return {row.channel: row for row in rows}


async def states(database: Database, event_id: str = "e-1") -> dict[str, str]:
    return {channel: row.state for channel, row in (await messages(database, event_id)).items()}


async def inbox(database: Database, event_id: str = "e-1", run: int = 0) -> Inbox | None:
    async with database.reading() as session:
        return await session.get(Inbox, (event_id, run))


async def outbox(database: Database) -> list[Outbox]:
    async with database.reading() as session:
        return list(await session.scalars(select(Outbox).order_by(col(Outbox.created_at))))
