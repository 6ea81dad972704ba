"""The orders in SQL: one row each, with its lines in it, since they never change and are never read apart."""

from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from order_worker.domain import Customer, Line, Order, OrderMissingError, OrderStatus, Shipment
from shared.store.statements import REREAD, UNSYNCED, add_new


class OrderRow(SQLModel, table=True):
    """Money is in minor units of `currency`."""

    __tablename__ = "orders"  # pyright: ignore[reportAssignmentType] - SQLModel's own way
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'paid', 'shipped', 'cancelled')", name="ck_orders_status"),
        CheckConstraint("total >= 0", name="ck_orders_total"),
    )

    order_id: str = Field(primary_key=True)
    status: str
    customer_id: str
    customer_email: str
    customer_name: str
    customer_locale: str | None = None
    lines: list[dict[str, Any]] = Field(sa_type=JSON)
    currency: str
    total: int = Field(sa_type=BigInteger)
    payment_id: str | None = None
    carrier: str | None = None
    tracking_number: str | None = None
    cancel_reason: str | None = None


class SqlOrders:
    """Implements the port `Orders` in the transaction of a session, which stays the caller's."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, order: Order) -> bool:
        row = {"order_id": order.order_id, **_placed(order), **_state(order)}
        return await add_new(self._session, OrderRow, row)

    async def find(self, order_id: str) -> Order:
        return await self._read(order_id, select(OrderRow))

    async def lock(self, order_id: str) -> Order:
        """SQLite needs no row locks: its transactions that write follow one another."""
        return await self._read(order_id, select(OrderRow).with_for_update())

    async def save(self, order: Order) -> None:
        changed = update(OrderRow).where(col(OrderRow.order_id) == order.order_id).values(**_state(order))
        await self._session.execute(changed, execution_options=UNSYNCED)

    async def _read(self, order_id: str, rows: Select[OrderRow]) -> Order:
        found = await self._session.execute(
            rows.where(col(OrderRow.order_id) == order_id), execution_options=REREAD
        )
        row = found.scalar_one_or_none()
        if row is None:
            raise OrderMissingError(order_id)
        return _order(row)


def _placed(order: Order) -> dict[str, Any]:
    """The columns of what was ordered, which never change."""
    return {
        "customer_id": order.customer.id,
        "customer_email": order.customer.email,
        "customer_name": order.customer.name,
        "customer_locale": order.customer.locale,
        "lines": [
            {"sku": line.sku, "quantity": line.quantity, "unit_price": line.unit_price}
            for line in order.lines
        ],
        "currency": order.currency,
        "total": order.total,
    }


def _state(order: Order) -> dict[str, Any]:
    """The columns of what has become of it."""
    shipment = order.shipment
    return {
        "status": order.status.value,
        "payment_id": order.payment_id,
        "carrier": shipment.carrier if shipment else None,
        "tracking_number": shipment.tracking_number if shipment else None,
        "cancel_reason": order.cancel_reason,
    }


def _order(row: OrderRow) -> Order:
    shipment = None
    if row.carrier is not None and row.tracking_number is not None:
        shipment = Shipment(row.carrier, row.tracking_number)
    return Order(
        order_id=row.order_id,
        customer=Customer(row.customer_id, row.customer_email, row.customer_name, row.customer_locale),
        lines=tuple(Line(**line) for line in row.lines),
        currency=row.currency,
        total=row.total,
        status=OrderStatus(row.status),
        payment_id=row.payment_id,
        shipment=shipment,
        cancel_reason=row.cancel_reason,
    )
