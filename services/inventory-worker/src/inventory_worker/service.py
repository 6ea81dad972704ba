"""What can be done with stock, and what that causes."""

from collections.abc import Iterable
from dataclasses import replace

from inventory_worker.domain import (
    Movement,
    MovementKind,
    OutOfStockError,
    Reservation,
    ReservationState,
    Stock,
    release_all,
    reserve_all,
)
from inventory_worker.ports import Inventory, Outbox
from shared.events.inventory import LowStockAlert
from shared.events.lines import StockLine
from shared.events.notifications import Recipient, SendNotification
from shared.events.orders import OrderCancelled


class StockService:
    """Each use case runs in one transaction, and what it causes leaves with that commit.

    An order has one reservation for ever: it is reserved once, released once, in whatever order and
    however often that is asked for.
    """

    def __init__(self, inventory: Inventory, outbox: Outbox) -> None:
        self._inventory = inventory
        self._outbox = outbox

    async def reserve_for(self, order_id: str, lines: Iterable[StockLine]) -> None:
        """Reserves every line; where one is short, none, and the order is cancelled."""
        wanted = {line.sku: line.quantity for line in lines}
        if await self._inventory.add_or_lock(Reservation(order_id, ReservationState.RESERVED, wanted)):
            return
        stock = await self._inventory.lock(wanted)
        try:
            movements = reserve_all(order_id, wanted, stock)
        except OutOfStockError:
            await self._inventory.save(Reservation(order_id, ReservationState.REFUSED, wanted))
            self._outbox.publish(OrderCancelled(order_id=order_id, reason="out_of_stock"))
            return
        await self._inventory.record(movements)
        for movement in movements:
            if movement.alerts:
                self._outbox.publish(_alert(movement.after))

    async def release_for(self, order_id: str) -> None:
        """Gives back what the order holds; an order that holds nothing yet never will."""
        nothing = Reservation(order_id, ReservationState.RELEASED, {})
        known = await self._inventory.add_or_lock(nothing)
        if known is None or known.state is not ReservationState.RESERVED:
            return
        movements = release_all(known, await self._inventory.lock(known.lines))
        await self._inventory.save(replace(known, state=ReservationState.RELEASED))
        await self._inventory.record(movements)

    async def alert_operators(self, alert: LowStockAlert, email: str) -> None:
        """Tells the operators, at this address, that stock is low."""
        self._outbox.publish(
            SendNotification(
                recipient=Recipient(email=email),
                template="low-stock",
                variables={"sku": alert.sku, "available": alert.available, "threshold": alert.threshold},
            )
        )


class StockCount:
    """Stock as people see and set it."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    async def find(self, sku: str) -> Stock:
        """Raises StockMissingError."""
        return await self._inventory.find(sku)

    async def set_to(self, sku: str, on_hand: int, low_stock_threshold: int) -> Stock:
        """The stock as it was counted, made where there was none; raises BelowReservedError."""
        before = await self._inventory.lock_or_make(sku)
        after = before.set_to(on_hand, low_stock_threshold)
        if after != before:
            await self._inventory.record([Movement(MovementKind.ADJUSTED, before, after)])
        return after


def _alert(stock: Stock) -> LowStockAlert:
    return LowStockAlert(sku=stock.sku, available=stock.available, threshold=stock.low_stock_threshold)
