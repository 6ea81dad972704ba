"""What the demo publishes: one order for each way that an order can go, and the stock before."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from shared.events import (
    Customer,
    Event,
    InventoryReleased,
    InventoryReserved,
    LowStockAlert,
    OrderCancelled,
    OrderCreated,
    OrderLine,
    OrderPaid,
    OrderShipped,
    PaymentAuthorized,
    PaymentRefunded,
    SendNotification,
)

CURRENCY = "EUR"
PRICES = {"mug": 1250, "teapot": 3400, "poster": 900}
"""In cents."""


@dataclass(frozen=True, slots=True)
class Stock:
    """How many of a SKU can be bought when the demo begins, and below how many is little."""

    sku: str
    available: int
    threshold: int


STOCK = (Stock("mug", 10, 8), Stock("teapot", 5, 1), Stock("poster", 3, 1))


@dataclass(frozen=True, slots=True)
class Step:
    """An event that the shop publishes, and the types of all that follow from it."""

    event: Event
    causes: tuple[type[Event], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """An order with what the shop does about it; `ends` is the order's last state, `why` says why.

    `email` is where its customer hears of it.
    """

    title: str
    order_id: str
    email: str
    steps: tuple[Step, ...]
    ends: str
    why: str


def expected(steps: tuple[Step, ...]) -> Counter[str]:
    """How many events of each type these steps come to in all."""
    return Counter(happening.type for step in steps for happening in (type(step.event), *step.causes))


def make_samples(run: str) -> tuple[Sample, ...]:
    """The samples of one run of the demo: `run` makes its order ids its own."""
    return (
        _shipped(f"demo-{run}-ada"),
        _cancelled(f"demo-{run}-ben"),
        _out_of_stock(f"demo-{run}-cleo"),
        _declined(f"demo-{run}-dan"),
    )


def order_to_try(run: str) -> OrderCreated:
    """An order that a person may publish after the demo: there is stock for it."""
    return _created(f"demo-{run}-you", "You", {"mug": 1})


def _shipped(order_id: str) -> Sample:
    created = _created(order_id, "Ada", {"mug": 3, "teapot": 1})
    shipped = OrderShipped(order_id=order_id, carrier="DHL", tracking_number="00340434161094042557")
    return Sample(
        "Ada's order is paid and shipped",
        order_id,
        created.customer.email,
        (
            Step(created, (InventoryReserved, SendNotification, LowStockAlert, SendNotification)),
            Step(_authorized(created, "tok_ok"), (OrderPaid, SendNotification)),
            Step(shipped, (SendNotification,)),
        ),
        ends="shipped",
        why="her money was taken, and the goods are on their way",
    )


def _cancelled(order_id: str) -> Sample:
    created = _created(order_id, "Ben", {"teapot": 1})
    cancelled = OrderCancelled(order_id=order_id, reason="changed_mind")
    undone = (InventoryReleased, PaymentRefunded, SendNotification, SendNotification)
    return Sample(
        "Ben pays, then changes his mind",
        order_id,
        created.customer.email,
        (
            Step(created, (InventoryReserved, SendNotification)),
            Step(_authorized(created, "tok_ok"), (OrderPaid, SendNotification)),
            Step(cancelled, undone),
        ),
        ends="cancelled",
        why="his money is refunded, and the teapot is back in stock",
    )


def _out_of_stock(order_id: str) -> Sample:
    created = _created(order_id, "Cleo", {"poster": 12})
    return Sample(
        "Cleo wants more than there is",
        order_id,
        created.customer.email,
        (
            Step(
                created,
                (
                    InventoryReserved,
                    SendNotification,
                    OrderCancelled,
                    InventoryReleased,
                    SendNotification,
                ),
            ),
        ),
        ends="cancelled",
        why="12 posters are wanted and 3 are there: nothing was reserved",
    )


def _declined(order_id: str) -> Sample:
    created = _created(order_id, "Dan", {"poster": 2})
    return Sample(
        "Dan's card is declined",
        order_id,
        created.customer.email,
        (
            Step(created, (InventoryReserved, SendNotification)),
            Step(_authorized(created, "tok_declined"), (OrderCancelled, InventoryReleased, SendNotification)),
        ),
        ends="cancelled",
        why="no money moved, and the posters are back in stock",
    )


def _created(order_id: str, name: str, wanted: Mapping[str, int]) -> OrderCreated:
    return OrderCreated(
        order_id=order_id,
        customer=Customer(id=f"demo-{name.lower()}", email=f"{name.lower()}@example.com", name=name),
        lines=tuple(
            OrderLine(sku=sku, quantity=quantity, unit_price=PRICES[sku]) for sku, quantity in wanted.items()
        ),
        currency=CURRENCY,
        total=sum(PRICES[sku] * quantity for sku, quantity in wanted.items()),
    )


def _authorized(order: OrderCreated, method: str) -> PaymentAuthorized:
    return PaymentAuthorized(
        payment_id=f"pay-{order.order_id}",
        order_id=order.order_id,
        amount=order.total,
        currency=order.currency,
        method=method,
    )
