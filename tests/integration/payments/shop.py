"""Deliveries of payment events to the use cases, in the runtime and on the database of a worker."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import func, select
from sqlmodel import col

from adapters.payments import FakeOrderWorker
from payment_worker.adapters.events import in_doubt
from payment_worker.adapters.provider import SandboxProvider
from payment_worker.adapters.tables import PaymentRow, RefundRow
from payment_worker.adapters.work import SqlWork
from payment_worker.handlers import on_payment_authorized, on_payment_refunded, payments
from payment_worker.ports import Provider
from payment_worker.service.captures import CaptureService
from payment_worker.service.refunds import RefundService
from shared.events import Event, Priority
from shared.events.payments import PaymentAuthorized, PaymentRefunded
from shared.queue import Delivery
from shared.queue.breaker import Breaker
from shared.queue.handling import Handling
from shared.store.database import Database
from shared.store.ledger import SqlLedger
from shared.store.steps import current_steps
from shared.store.tables import Attempt, Inbox, Outbox
from support.deliveries import delivery, envelope, rows
from unit.payments.examples import CANCELLED, ORDER

AUTHORIZED = PaymentAuthorized(
    payment_id="payment-1", order_id="order-1", amount=3700, currency="EUR", method="tok_ok"
)
REFUNDED = PaymentRefunded(
    refund_id="refund-1", payment_id="payment-1", order_id="order-1", reason="changed my mind"
)
CLAIM_FOR = timedelta(hours=1)
"""So long that no claim of a test ends before the test lets its time pass."""


class ProviderAt(Protocol):
    """Makes the adapter to a provider at that address."""

    def __call__(self, url: str, seconds: float = ...) -> SandboxProvider: ...


class Crash(asyncio.CancelledError):
    """The process ends here: nothing that it would have done is done."""


class Shop:
    """`deliver` hands an event to its handler, as a worker's consumer does, and answers what became of it."""

    def __init__(self, database: Database, provider: Provider) -> None:
        self.ahead = timedelta()
        """How much time has passed for whoever takes an event from now on."""
        self.database = database
        self.provider = provider
        self.orders = FakeOrderWorker(
            ORDER, replace(ORDER, order_id="order-2"), replace(CANCELLED, order_id="gone")
        )
        self._ledger = SqlLedger(database, source="payment-worker", in_doubt=in_doubt)

    async def deliver(
        self,
        event: Event,
        event_id: str = "event-1",
        *,
        worker: str = "worker-1",
        deliveries: int = 0,
        expires_at: datetime | None = None,
    ) -> str:
        """The verdict, with the reason where it did not complete. Raises Crash."""
        happened = self._delivery(
            event, event_id, worker=worker, deliveries=deliveries, expires_at=expires_at
        )

        async def process(_: Delivery) -> None:
            await self._handle(event)

        breaker = Breaker(self._ledger)
        handling = Handling(process, self._ledger, breaker, payments, is_ending=lambda: True)
        verdict = await handling.handle(happened)
        reason = await self._reason(event_id)
        return f"{verdict.outcome} {reason}" if verdict.outcome in {"dead", "postponed"} else verdict.outcome

    async def bury(self, event: Event, event_id: str = "event-1") -> None:
        """Another copy of the event ends its run as dead."""
        await self._ledger.bury(self._delivery(event, event_id, worker="worker-9"), "lost", ValueError())

    async def is_uncertain(self, event_id: str = "event-1") -> bool | None:
        """What is said of an event that has ended."""
        async with self.database.reading() as session:
            inbox = await session.get(Inbox, (event_id, 0))
        return inbox and inbox.uncertain

    async def payment(self, payment_id: str = "payment-1") -> PaymentRow | None:
        async with self.database.reading() as session:
            return await session.get(PaymentRow, payment_id)

    async def status(self, payment_id: str = "payment-1") -> str | None:
        payment = await self.payment(payment_id)
        return payment and payment.status

    async def refunds(self) -> list[tuple[str, int, str]]:
        found = await rows(self.database, RefundRow)
        return [(refund.refund_id, refund.amount, refund.status) for refund in found]

    async def caused(self) -> list[str]:
        """The types of all that was caused, and of notifications the template."""
        found = await rows(self.database, Outbox)
        return sorted(json.loads(row.data).get("template", row.type) for row in found)

    async def failures(self) -> int:
        """How many attempts were burnt, of all events."""
        async with self.database.reading() as session:
            burnt = select(func.count()).where(col(Attempt.effort).in_(["failed", "lost"]))
            return (await session.execute(burnt)).scalar_one()

    def _delivery(
        self,
        event: Event,
        event_id: str,
        *,
        worker: str,
        deliveries: int = 0,
        expires_at: datetime | None = None,
    ) -> Delivery:
        return delivery(
            envelope(
                event_id,
                type=event.type,
                data=event.to_json(),
                priority=Priority.NORMAL,
                expires_at=expires_at,
            ),
            entry=f"{abs(hash(event_id))}-1",
            worker=worker,
            deliveries=deliveries,
            fetched_at=datetime.now(UTC) + self.ahead,
        )

    async def _handle(self, event: Event) -> None:
        work = SqlWork(current_steps(), CLAIM_FOR)
        if isinstance(event, PaymentAuthorized):
            await on_payment_authorized(event, CaptureService(work, self.orders, self.provider))
        elif isinstance(event, PaymentRefunded):
            await on_payment_refunded(event, RefundService(work, self.provider))

    async def _reason(self, event_id: str) -> str | None:
        async with self.database.reading() as session:
            inbox = await session.get(Inbox, (event_id, 0))
            if inbox:
                return inbox.reason
            last = select(Attempt).where(col(Attempt.event_id) == event_id)
            attempt = (await session.scalars(last.order_by(col(Attempt.started_at).desc()))).first()
            return attempt and attempt.reason
