"""One order, as its customer placed it, and how it may refuse."""

from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from order_worker.domain import Customer as KnownCustomer
from order_worker.domain import Line, Order, OrderStatus, Payment, Shipment
from shared.events.lines import OrderLine
from shared.events.orders import Customer, OrderCreated
from shared.queue.outcomes import GiveUpError, PostponeError

PAYMENT = Payment("payment-1", 3700, "EUR")
SHIPMENT = Shipment("DHL", "00340434161094042557")
FREE = OrderCreated(
    order_id="order-1",
    customer=Customer(id="customer-1", email="ada@example.com", name="Ada Lovelace", locale="en"),
    lines=(OrderLine(sku="mug", quantity=2, unit_price=0),),
    currency="EUR",
    total=0,
)
"""An order that costs nothing."""


def order_created(*, name: str = "Ada Lovelace", pots: int = 1) -> OrderCreated:
    lines = (
        OrderLine(sku="mug", quantity=2, unit_price=1250),
        OrderLine(sku="pot", quantity=pots, unit_price=1200),
    )
    return OrderCreated(
        order_id="order-1",
        customer=Customer(id="customer-1", email="ada@example.com", name=name, locale="en"),
        lines=lines,
        currency="EUR",
        total=2500 + pots * 1200,
    )


def an_order(
    status: OrderStatus = OrderStatus.PENDING,
    *,
    payment_id: str | None = None,
    shipment: Shipment | None = None,
    cancel_reason: str | None = None,
) -> Order:
    """The same order, as it is stored."""
    return Order(
        order_id="order-1",
        customer=KnownCustomer("customer-1", "ada@example.com", "Ada Lovelace", "en"),
        lines=(Line("mug", 2, 1250), Line("pot", 1, 1200)),
        currency="EUR",
        total=3700,
        status=status,
        payment_id=payment_id,
        shipment=shipment,
        cancel_reason=cancel_reason,
    )


def paid() -> Order:
    return an_order(OrderStatus.PAID, payment_id="payment-1")


def shipped() -> Order:
    return an_order(OrderStatus.SHIPPED, payment_id="payment-1", shipment=SHIPMENT)


def cancelled(*, payment_id: str | None = None) -> Order:
    return an_order(OrderStatus.CANCELLED, payment_id=payment_id, cancel_reason="changed my mind")


def free(order: Order) -> Order:
    """As it is where it cost nothing, and so was never paid."""
    return replace(order, lines=(Line("mug", 2, 0),), total=0, payment_id=None)


def dead(reason: str) -> AbstractContextManager[object]:
    """What is done within makes the event dead, for this reason."""
    return pytest.raises(GiveUpError, check=lambda error: error.reason == reason)


def postponed(reason: str) -> AbstractContextManager[object]:
    """What is done within comes too early, for this reason."""
    return pytest.raises(PostponeError, check=lambda error: error.reason == reason)
