"""Stock and reservations in dicts, with the checks that the tables make."""

from collections.abc import Collection, Mapping, Sequence

from inventory_worker.domain import Movement, Reservation, Stock, StockMissingError


class FakeInventory:
    def __init__(self, *stock: Stock) -> None:
        self.stock = {item.sku: item for item in stock}
        self.reservations: dict[str, Reservation] = {}
        self.movements: list[Movement] = []

    async def add_or_lock(self, reservation: Reservation) -> Reservation | None:
        known = self.reservations.setdefault(reservation.order_id, reservation)
        return None if known is reservation else known

    async def save(self, reservation: Reservation) -> None:
        self.reservations[reservation.order_id] = reservation

    async def find(self, sku: str) -> Stock:
        if sku not in self.stock:
            raise StockMissingError(sku)
        return self.stock[sku]

    async def lock(self, skus: Collection[str]) -> Mapping[str, Stock]:
        return {sku: self.stock[sku] for sku in skus if sku in self.stock}

    async def lock_or_make(self, sku: str) -> Stock:
        return self.stock.setdefault(sku, Stock(sku=sku))

    async def record(self, movements: Sequence[Movement]) -> None:
        for movement in movements:
            after = movement.after
            assert 0 <= after.reserved <= after.on_hand
            assert movement.before == self.stock[movement.sku]
            self.stock[movement.sku] = after
        self.movements += movements
