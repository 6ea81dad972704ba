"""What the use cases need."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from inventory_worker.domain import Movement, Reservation, Stock
from shared.events.base import Event


class Inventory(Protocol):
    """The stock and what orders hold of it, inside one transaction."""

    async def add_or_lock(self, reservation: Reservation) -> Reservation | None:
        """Stores it as the reservation of its order and answers None.

        Where the order has one, stores nothing and answers that one, which nobody else changes
        until the transaction ends.
        """
        ...

    async def save(self, reservation: Reservation) -> None:
        """Stores what has become of a reservation that was added or locked here."""
        ...

    async def find(self, sku: str) -> Stock:
        """Raises StockMissingError."""
        ...

    async def lock(self, skus: Collection[str]) -> Mapping[str, Stock]:
        """Those of these SKUs that have stock; nobody else changes them until the transaction ends."""
        ...

    async def lock_or_make(self, sku: str) -> Stock:
        """As `lock`; where there is none, it is made with nothing on hand."""
        ...

    async def record(self, movements: Sequence[Movement]) -> None:
        """Stores the stock as it is after these movements, one a SKU, and the movements themselves."""
        ...


class Outbox(Protocol):
    """What the use case causes: it leaves if the transaction commits, and not otherwise."""

    def publish(self, event: Event) -> None: ...
