"""The stock in SQL, what orders hold of it, and every movement that led there."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import JSON, BigInteger, CheckConstraint, Integer, UniqueConstraint, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from inventory_worker.domain import Movement, Reservation, ReservationState, Stock, StockMissingError
from shared.store.statements import REREAD, UNSYNCED, add_new
from shared.store.tables import UtcDateTime, utc_now


class StockRow(SQLModel, table=True):
    """The units of one SKU. What the domain promises, the database refuses to break."""

    __tablename__ = "stock"  # pyright: ignore[reportAssignmentType] - SQLModel's own way
    __table_args__ = (
        CheckConstraint("reserved >= 0", name="ck_stock_reserved"),
        CheckConstraint("reserved <= on_hand", name="ck_stock_available"),
        CheckConstraint("low_stock_threshold >= 0", name="ck_stock_low_stock_threshold"),
    )

    sku: str = Field(primary_key=True)
    on_hand: int
    reserved: int
    low_stock_threshold: int
    alerted: bool
    """Whether its fall below the threshold was reported; see the domain."""


class ReservationRow(SQLModel, table=True):
    """An order's one reservation; `lines` are units by SKU."""

    __tablename__ = "reservations"  # pyright: ignore[reportAssignmentType] - SQLModel's own way
    __table_args__ = (
        CheckConstraint("state IN ('reserved', 'refused', 'released')", name="ck_reservations_state"),
    )

    order_id: str = Field(primary_key=True)
    state: str
    lines: dict[str, int] = Field(sa_type=JSON)


class MovementRow(SQLModel, table=True):
    """A change of one SKU's stock, never changed itself: the sums by SKU are `on_hand` and `reserved`."""

    __tablename__ = "movements"  # pyright: ignore[reportAssignmentType] - SQLModel's own way
    __table_args__ = (
        CheckConstraint("kind IN ('reserved', 'released', 'adjusted')", name="ck_movements_kind"),
        UniqueConstraint("sku", "order_id", "kind", name="uq_movements_once"),
    )

    id: int | None = Field(
        default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite")
    )
    sku: str = Field(foreign_key="stock.sku")
    kind: str
    on_hand_change: int
    reserved_change: int
    order_id: str | None = None
    """None for an adjustment."""
    at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class SqlInventory:
    """Implements the port `Inventory` in the transaction of a session, which stays the caller's.

    Locks are always taken in the same order, the reservation before the stock and SKUs by name, so
    that no two transactions wait for each other. SQLite needs none of them: its transactions that
    write follow one another.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add_or_lock(self, reservation: Reservation) -> Reservation | None:
        row = {"order_id": reservation.order_id, "state": reservation.state, "lines": dict(reservation.lines)}
        if await add_new(self._session, ReservationRow, row):
            return None
        known = await self._session.execute(
            select(ReservationRow)
            .where(col(ReservationRow.order_id) == reservation.order_id)
            .with_for_update(),
            execution_options=REREAD,
        )
        found = known.scalar_one()
        return Reservation(found.order_id, ReservationState(found.state), found.lines)

    async def save(self, reservation: Reservation) -> None:
        await self._session.execute(
            update(ReservationRow)
            .where(col(ReservationRow.order_id) == reservation.order_id)
            .values(state=reservation.state, lines=dict(reservation.lines)),
            execution_options=UNSYNCED,
        )

    async def find(self, sku: str) -> Stock:
        found = await self._session.execute(
            select(StockRow).where(col(StockRow.sku) == sku), execution_options=REREAD
        )
        row = found.scalar_one_or_none()
        if row is None:
            raise StockMissingError(sku)
        return _stock(row)

    async def lock(self, skus: Collection[str]) -> Mapping[str, Stock]:
        locked = await self._session.execute(
            select(StockRow).where(col(StockRow.sku).in_(skus)).order_by(col(StockRow.sku)).with_for_update(),
            execution_options=REREAD,
        )
        return {row.sku: _stock(row) for row in locked.scalars()}

    async def lock_or_make(self, sku: str) -> Stock:
        nothing = {"sku": sku, "on_hand": 0, "reserved": 0, "low_stock_threshold": 0, "alerted": False}
        await add_new(self._session, StockRow, nothing)
        return (await self.lock([sku]))[sku]

    async def record(self, movements: Sequence[Movement]) -> None:
        await self._session.execute(
            update(StockRow),
            [
                {
                    "sku": stock.sku,
                    "on_hand": stock.on_hand,
                    "reserved": stock.reserved,
                    "low_stock_threshold": stock.low_stock_threshold,
                    "alerted": stock.alerted,
                }
                for stock in (movement.after for movement in movements)
            ],
        )
        changes = [
            {
                "sku": movement.sku,
                "kind": movement.kind,
                "on_hand_change": movement.on_hand_change,
                "reserved_change": movement.reserved_change,
                "order_id": movement.order_id,
            }
            for movement in movements
        ]
        await self._session.execute(insert(MovementRow), changes)


def _stock(row: StockRow) -> Stock:
    return Stock(
        sku=row.sku,
        on_hand=row.on_hand,
        reserved=row.reserved,
        low_stock_threshold=row.low_stock_threshold,
        alerted=row.alerted,
    )
