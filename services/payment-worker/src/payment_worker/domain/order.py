"""What order-worker says about an order that is to be paid."""

from dataclasses import dataclass


class OrderMissingError(Exception):
    """order-worker does not know the order, or not yet."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"order {order_id}: there is none")
        self.order_id = order_id


@dataclass(frozen=True, slots=True)
class Customer:
    """Whom the notifications of a payment address."""

    id: str
    email: str
    name: str
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`total` is in minor units of `currency`."""

    order_id: str
    total: int
    currency: str
    cancelled: bool
    customer: Customer
