"""The life of an order: created, paid, shipped, cancelled."""

from typing import ClassVar, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from shared.events.base import Contract, OrderEvent
from shared.events.contact import Email, Locale
from shared.events.lines import OrderLines
from shared.events.money import Amount, Currency, Price
from shared.events.text import Identifier, Label, Reason


class Customer(Contract):
    """Who ordered, and where to write to."""

    id: Identifier
    email: Email
    name: Label
    locale: Locale | None = None


class OrderCreated(OrderEvent):
    """A customer has placed an order. `total` is the sum of its lines."""

    type: ClassVar[str] = "ORDER_CREATED"
    queue: ClassVar[str] = "orders"

    customer: Customer
    lines: OrderLines
    currency: Currency
    total: Price

    @model_validator(mode="after")
    def _total_is_the_sum_of_the_lines(self) -> Self:
        if self.total != sum(line.quantity * line.unit_price for line in self.lines):
            raise PydanticCustomError("total_mismatch", "The total is not the sum of the lines")
        return self


class OrderPaid(OrderEvent):
    """The money for an order has been captured."""

    type: ClassVar[str] = "ORDER_PAID"
    queue: ClassVar[str] = "orders"
    internal: ClassVar[bool] = True

    payment_id: Identifier
    amount: Amount
    currency: Currency


class OrderShipped(OrderEvent):
    """The goods are on their way."""

    type: ClassVar[str] = "ORDER_SHIPPED"
    queue: ClassVar[str] = "orders"

    carrier: Label
    tracking_number: Label


class OrderCancelled(OrderEvent):
    """An order will not be fulfilled."""

    type: ClassVar[str] = "ORDER_CANCELLED"
    queue: ClassVar[str] = "orders"

    reason: Reason
