"""The payments in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from payment_worker.adapters.claiming import Claimant
from payment_worker.adapters.tables import LIVE, PaymentRow
from payment_worker.domain.order import Customer
from payment_worker.domain.payment import Payment, PaymentStatus
from shared.store.claims import claim, release
from shared.store.statements import REREAD, UNSYNCED, add_new


class SqlPayments:
    """Implements the port `Payments` in the transaction of a session, which stays the caller's.

    SQLite needs no row locks: its transactions that write follow one another.
    """

    def __init__(self, session: AsyncSession, claimant: Claimant) -> None:
        self._session = session
        self._claimant = claimant

    async def add(self, payment: Payment) -> bool:
        row = {**_content(payment), **_state(payment), "created_at": self._claimant.now}
        return await add_new(self._session, PaymentRow, row)

    async def lock(self, payment_id: str) -> Payment | None:
        return await self._locked(select(PaymentRow).where(col(PaymentRow.payment_id) == payment_id))

    async def lock_of_order(self, order_id: str) -> Payment | None:
        of_order = select(PaymentRow).where(col(PaymentRow.order_id) == order_id)
        live = await self._locked(of_order.where(LIVE))
        return live or await self._locked(of_order.order_by(col(PaymentRow.created_at).desc()).limit(1))

    async def save(self, payment: Payment) -> None:
        await self._session.execute(
            update(PaymentRow)
            .where(col(PaymentRow.payment_id) == payment.payment_id)
            .values(_state(payment)),
            execution_options=UNSYNCED,
        )

    async def claim(self, payment_id: str) -> bool:
        return await claim(
            self._session,
            PaymentRow,
            col(PaymentRow.payment_id) == payment_id,
            owner=self._claimant.owner,
            now=self._claimant.now,
            lasting=self._claimant.lasting,
        )

    async def release(self, payment_id: str) -> None:
        is_it = col(PaymentRow.payment_id) == payment_id
        await release(self._session, PaymentRow, is_it, owner=self._claimant.owner)

    async def _locked(self, rows: Select[PaymentRow]) -> Payment | None:
        found = await self._session.execute(rows.with_for_update(), execution_options=REREAD)
        row = found.scalar_one_or_none()
        return None if row is None else payment_of(row)


async def find_payment(session: AsyncSession, payment_id: str) -> Payment | None:
    """The payment as it is stored; nothing keeps others from changing it."""
    row = await session.get(PaymentRow, payment_id, populate_existing=True)
    return None if row is None else payment_of(row)


async def list_payments(
    session: AsyncSession, order_id: str, limit: int
) -> Sequence[tuple[Payment, datetime]]:
    """At most `limit` payments of the order, newest first, each with the time of its intent."""
    newest = (col(PaymentRow.created_at).desc(), col(PaymentRow.payment_id).desc())
    rows = select(PaymentRow).where(col(PaymentRow.order_id) == order_id).order_by(*newest).limit(limit)
    return [(payment_of(row), row.created_at) for row in await session.scalars(rows)]


def payment_of(row: PaymentRow) -> Payment:
    return Payment(
        payment_id=row.payment_id,
        order_id=row.order_id,
        amount=row.amount,
        currency=row.currency,
        method_digest=row.method_digest,
        key=row.key,
        customer=Customer(row.customer_id, row.customer_email, row.customer_name, row.customer_locale),
        status=PaymentStatus(row.status),
        asked=row.asked,
        refunding=row.refunding,
        refunded=row.refunded,
    )


def _content(payment: Payment) -> dict[str, Any]:
    """The columns that never change."""
    return {
        "payment_id": payment.payment_id,
        "order_id": payment.order_id,
        "amount": payment.amount,
        "currency": payment.currency,
        "method_digest": payment.method_digest,
        "key": payment.key,
        "customer_id": payment.customer.id,
        "customer_email": payment.customer.email,
        "customer_name": payment.customer.name,
        "customer_locale": payment.customer.locale,
    }


def _state(payment: Payment) -> dict[str, Any]:
    """The columns of what has become of it."""
    return {
        "status": payment.status.value,
        "asked": payment.asked,
        "refunding": payment.refunding,
        "refunded": payment.refunded,
    }
