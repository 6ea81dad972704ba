"""What the use cases need."""

from typing import Protocol

from order_worker.domain import Order
from shared.events.base import Event


class Orders(Protocol):
    """The stored orders, inside one transaction."""

    async def add(self, order: Order) -> bool:
        """Stores it; where there is one of that id, changes nothing and answers False."""
        ...

    async def find(self, order_id: str) -> Order:
        """Raises OrderMissingError."""
        ...

    async def lock(self, order_id: str) -> Order:
        """The order, which nobody else changes until the transaction ends; raises OrderMissingError."""
        ...

    async def save(self, order: Order) -> None:
        """Stores what has become of an order that was locked here."""
        ...


class Outbox(Protocol):
    """What the use case causes: it leaves if the transaction commits, and not otherwise."""

    def publish(self, event: Event) -> None: ...
