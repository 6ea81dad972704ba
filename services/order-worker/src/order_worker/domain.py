"""What an order is, and how its state moves: pending, paid, shipped, or cancelled; never back.

An order that costs nothing is paid from the start.

Every rule answers the order as it is afterwards. An order that is told again what it already knows
answers itself unchanged, so `after == order` means that nothing happened and nothing is caused.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5


class OrderStatus(StrEnum):
    PENDING = "pending"
    PAID = "paid"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


class OrderError(Exception):
    """Why an order refuses what it is told."""

    def __init__(self, order_id: str, why: str) -> None:
        super().__init__(f"order {order_id}: {why}")
        self.order_id = order_id


class OrderMissingError(OrderError):
    """The order is not stored, or not yet."""

    def __init__(self, order_id: str) -> None:
        super().__init__(order_id, "there is none")


class NotPaidYetError(OrderError):
    """It cannot be shipped before it is paid; the payment may still be on its way."""

    def __init__(self, order_id: str) -> None:
        super().__init__(order_id, "it is not paid yet")


class OrderConflictError(OrderError):
    """What is told contradicts what is known.

    Another content under the same id, a second payment of a paid order, another parcel for a shipped one.
    """

    def __init__(self, order_id: str, what: str) -> None:
        super().__init__(order_id, f"another {what} is known")
        self.what = what


class AmountMismatchError(OrderError):
    """The payment is not the order's total in the order's currency."""

    def __init__(self, order_id: str, payment: "Payment") -> None:
        super().__init__(order_id, f"payment {payment.payment_id} is not its total")
        self.payment = payment


class IllegalTransitionError(OrderError):
    """The state would have to go back, or past its end."""

    def __init__(self, order_id: str, status: OrderStatus, to: OrderStatus) -> None:
        super().__init__(order_id, f"it is {status} and cannot be {to}")
        self.status = status
        self.to = to


@dataclass(frozen=True, slots=True)
class Customer:
    """Whom the order's notifications address; `locale` of None leaves the language to them."""

    id: str
    email: str
    name: str
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """`unit_price` is in minor units of the order's currency."""

    sku: str
    quantity: int
    unit_price: int


@dataclass(frozen=True, slots=True)
class Payment:
    """`amount` is in minor units of `currency`."""

    payment_id: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Shipment:
    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`total` is in minor units of `currency`.

    `payment_id` is the payment that was last taken for it, also where it was cancelled and the money
    goes back.
    """

    order_id: str
    customer: Customer
    lines: tuple[Line, ...]
    currency: str
    total: int
    status: OrderStatus = OrderStatus.PENDING
    payment_id: str | None = None
    shipment: Shipment | None = None
    cancel_reason: str | None = None

    def check_same(self, placed: "Order") -> None:
        """Returns if `placed` is this order placed again; raises OrderConflictError otherwise."""
        known = (self.customer, self.lines, self.currency, self.total)
        if known != (placed.customer, placed.lines, placed.currency, placed.total):
            raise OrderConflictError(self.order_id, "content")

    def pay(self, payment: Payment) -> "Order":
        """Paid; a cancelled order stays cancelled and only remembers whose money it owes.

        Raises AmountMismatchError in every state, and OrderConflictError for a second payment.
        """
        if (payment.amount, payment.currency) != (self.total, self.currency):
            raise AmountMismatchError(self.order_id, payment)
        match self.status:
            case OrderStatus.PENDING:
                return replace(self, status=OrderStatus.PAID, payment_id=payment.payment_id)
            case OrderStatus.CANCELLED:
                return replace(self, payment_id=payment.payment_id)
            case OrderStatus.PAID | OrderStatus.SHIPPED:
                if payment.payment_id != self.payment_id:
                    raise OrderConflictError(self.order_id, "payment")
                return self

    def ship(self, shipment: Shipment) -> "Order":
        """Shipped; raises NotPaidYetError, IllegalTransitionError, OrderConflictError for another parcel."""
        match self.status:
            case OrderStatus.PENDING:
                raise NotPaidYetError(self.order_id)
            case OrderStatus.PAID:
                return replace(self, status=OrderStatus.SHIPPED, shipment=shipment)
            case OrderStatus.SHIPPED:
                if shipment != self.shipment:
                    raise OrderConflictError(self.order_id, "shipment")
                return self
            case OrderStatus.CANCELLED:
                raise IllegalTransitionError(self.order_id, self.status, OrderStatus.SHIPPED)

    def cancel(self, reason: str) -> "Order":
        """Cancelled, for the first reason given; raises IllegalTransitionError once it is shipped."""
        match self.status:
            case OrderStatus.PENDING | OrderStatus.PAID:
                return replace(self, status=OrderStatus.CANCELLED, cancel_reason=reason)
            case OrderStatus.CANCELLED:
                return self
            case OrderStatus.SHIPPED:
                raise IllegalTransitionError(self.order_id, self.status, OrderStatus.CANCELLED)


def first_status(total: int) -> OrderStatus:
    """What an order of this total is when it is placed; nobody can pay nothing."""
    return OrderStatus.PENDING if total else OrderStatus.PAID


def refund_id(payment_id: str) -> str:
    """The id of giving back all of a payment: always the same one, so that it is one refund."""
    return str(uuid5(NAMESPACE_URL, f"urn:shop-queue:refund:{payment_id}"))
