"""What stock is, and when it can be reserved.

`on_hand` is what is there, `reserved` the part of it that orders hold, `available` the rest. A
reservation moves units from available to reserved; on_hand changes only when it is set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class StockError(Exception):
    """Why stock refuses a change."""

    def __init__(self, sku: str, why: str) -> None:
        super().__init__(f"{sku}: {why}")
        self.sku = sku


class StockMissingError(StockError):
    """Nobody has ever set the stock of this SKU."""

    def __init__(self, sku: str) -> None:
        super().__init__(sku, "there is no such stock")


class OutOfStockError(StockError):
    """Less is available than is wanted."""

    def __init__(self, sku: str, *, available: int, wanted: int) -> None:
        super().__init__(sku, f"{available} available, {wanted} wanted")
        self.available = available
        self.wanted = wanted


class BelowReservedError(StockError):
    """Fewer units would be there than orders hold."""

    def __init__(self, sku: str, *, reserved: int) -> None:
        super().__init__(sku, f"{reserved} are reserved")
        self.reserved = reserved


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """The units of one SKU: 0 <= reserved <= on_hand, always.

    `alerted` says that its fall below the threshold was reported: one fall is one alert, and only
    when available is at the threshold or above again can the next be one.
    """

    sku: str
    on_hand: int = 0
    reserved: int = 0
    low_stock_threshold: int = 0
    alerted: bool = False

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved

    @property
    def is_low(self) -> bool:
        return self.available < self.low_stock_threshold

    def reserve(self, quantity: int) -> "Stock":
        """Raises OutOfStockError."""
        if self.available < quantity:
            raise OutOfStockError(self.sku, available=self.available, wanted=quantity)
        after = replace(self, reserved=self.reserved + quantity)
        return replace(after, alerted=after.is_low)

    def release(self, quantity: int) -> "Stock":
        """Gives back what was reserved."""
        return _rearmed(replace(self, reserved=self.reserved - quantity))

    def set_to(self, on_hand: int, low_stock_threshold: int) -> "Stock":
        """As it was counted; who sets it sees it, so nothing is reported. Raises BelowReservedError."""
        if on_hand < self.reserved:
            raise BelowReservedError(self.sku, reserved=self.reserved)
        return _rearmed(replace(self, on_hand=on_hand, low_stock_threshold=low_stock_threshold))


def _rearmed(stock: Stock) -> Stock:
    """Ready for the next alert if it is not low any more."""
    return replace(stock, alerted=stock.alerted and stock.is_low)


class ReservationState(StrEnum):
    RESERVED = "reserved"
    REFUSED = "refused"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Reservation:
    """What an order holds, or that it holds nothing any more: an order has one reservation for ever.

    Released without lines is one whose release came first, and which therefore never takes.
    """

    order_id: str
    state: ReservationState
    lines: Mapping[str, int]
    """Units by SKU."""


class MovementKind(StrEnum):
    RESERVED = "reserved"
    RELEASED = "released"
    ADJUSTED = "adjusted"


@dataclass(frozen=True, slots=True)
class Movement:
    """One change of one SKU's stock. The sums of all changes are its `on_hand` and its `reserved`."""

    kind: MovementKind
    before: Stock
    after: Stock
    order_id: str | None = None

    @property
    def sku(self) -> str:
        return self.after.sku

    @property
    def on_hand_change(self) -> int:
        return self.after.on_hand - self.before.on_hand

    @property
    def reserved_change(self) -> int:
        return self.after.reserved - self.before.reserved

    @property
    def alerts(self) -> bool:
        """Whether this is the fall below the threshold, which has to be reported."""
        return self.after.alerted and not self.before.alerted


def reserve_all(order_id: str, wanted: Mapping[str, int], stock: Mapping[str, Stock]) -> list[Movement]:
    """Reserves every line or none; a SKU that is not in `stock` has no units. Raises OutOfStockError."""
    movements: list[Movement] = []
    for sku, quantity in wanted.items():
        before = stock.get(sku, Stock(sku=sku))
        movements.append(Movement(MovementKind.RESERVED, before, before.reserve(quantity), order_id))
    return movements


def release_all(reservation: Reservation, stock: Mapping[str, Stock]) -> list[Movement]:
    """Gives back all that it holds of `stock`."""
    return [
        Movement(MovementKind.RELEASED, stock[sku], stock[sku].release(quantity), reservation.order_id)
        for sku, quantity in reservation.lines.items()
    ]
