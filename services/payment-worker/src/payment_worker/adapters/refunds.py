"""The refunds in SQL."""

from dataclasses import asdict

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from payment_worker.adapters.claiming import Claimant
from payment_worker.adapters.tables import RefundRow
from payment_worker.domain.refund import Refund, RefundStatus
from shared.store.claims import claim, release
from shared.store.statements import UNSYNCED, add_new


class SqlRefunds:
    """Implements the port `Refunds` in the transaction of a session, which stays the caller's."""

    def __init__(self, session: AsyncSession, claimant: Claimant) -> None:
        self._session = session
        self._claimant = claimant

    async def add(self, refund: Refund) -> bool:
        row = {**asdict(refund), "status": refund.status.value, "created_at": self._claimant.now}
        return await add_new(self._session, RefundRow, row)

    async def find(self, refund_id: str) -> Refund | None:
        return await find_refund(self._session, refund_id)

    async def save(self, refund: Refund) -> None:
        await self._session.execute(
            update(RefundRow)
            .where(col(RefundRow.refund_id) == refund.refund_id)
            .values(status=refund.status.value, asked=refund.asked),
            execution_options=UNSYNCED,
        )

    async def claim(self, refund_id: str) -> bool:
        return await claim(
            self._session,
            RefundRow,
            col(RefundRow.refund_id) == refund_id,
            owner=self._claimant.owner,
            now=self._claimant.now,
            lasting=self._claimant.lasting,
        )

    async def release(self, refund_id: str) -> None:
        is_it = col(RefundRow.refund_id) == refund_id
        await release(self._session, RefundRow, is_it, owner=self._claimant.owner)


async def find_refund(session: AsyncSession, refund_id: str) -> Refund | None:
    """The refund as it is stored; nothing keeps others from changing it."""
    row = await session.get(RefundRow, refund_id, populate_existing=True)
    return None if row is None else _refund(row)


def _refund(row: RefundRow) -> Refund:
    return Refund(
        refund_id=row.refund_id,
        payment_id=row.payment_id,
        order_id=row.order_id,
        amount=row.amount,
        currency=row.currency,
        key=row.key,
        all_of_it=row.all_of_it,
        status=RefundStatus(row.status),
        asked=row.asked,
    )
