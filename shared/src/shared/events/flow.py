"""Who publishes each event, what its worker does with it, and what that causes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared.events.base import Event
from shared.events.inventory import InventoryReleased, InventoryReserved, LowStockAlert
from shared.events.notifications import BatchNotification, SendEmail, SendNotification
from shared.events.orders import OrderCancelled, OrderCreated, OrderPaid, OrderShipped
from shared.events.payments import PaymentAuthorized, PaymentRefunded

WORKERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "orders": "order-worker",
        "payments": "payment-worker",
        "inventory": "inventory-worker",
        "notifications": "notification-worker",
    }
)
"""The service that works off each queue."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One event that another causes: always, or `when` this holds; for a notification, its template."""

    event: type[Event]
    when: str | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """The way of one event type through the system."""

    publishers: tuple[str, ...]
    does: str
    causes: tuple[Cause, ...] = ()


def _notify(template: str, when: str | None = None) -> Cause:
    return Cause(SendNotification, when, template)


FLOW: Final[Mapping[type[Event], Flow]] = MappingProxyType(
    {
        OrderCreated: Flow(
            ("client",),
            "stores the order as pending, or as paid where it costs nothing",
            (Cause(InventoryReserved), _notify("order-confirmation")),
        ),
        InventoryReserved: Flow(
            ("order-worker",),
            "reserves stock for every line, or for none",
            (
                Cause(OrderCancelled, "stock is short (`out_of_stock`)"),
                Cause(LowStockAlert, "a SKU falls below its threshold"),
            ),
        ),
        PaymentAuthorized: Flow(
            ("client",),
            "asks order-worker for the order (missing: postponed; another amount, or cancelled: dead, never "
            "charged) and captures the money at the provider, once per payment",
            (Cause(OrderPaid, "captured"), Cause(OrderCancelled, "declined (`payment_declined`)")),
        ),
        OrderPaid: Flow(
            ("payment-worker",),
            "marks the order as paid; a cancelled one stays cancelled",
            (_notify("payment-receipt"), Cause(PaymentRefunded, "the order is cancelled")),
        ),
        OrderShipped: Flow(
            ("client",), "marks the order as shipped, with its tracking", (_notify("order-shipped"),)
        ),
        OrderCancelled: Flow(
            ("client", "inventory-worker", "payment-worker"),
            "cancels the order, unless it is shipped",
            (
                Cause(InventoryReleased),
                Cause(PaymentRefunded, "the order was paid"),
                _notify("order-cancelled"),
            ),
        ),
        InventoryReleased: Flow(
            ("order-worker",),
            "restores what the order holds, once; a reservation that comes later never takes",
        ),
        PaymentRefunded: Flow(
            ("order-worker", "client"),
            "refunds at the provider, never more than was captured, never twice",
            (_notify("refund"),),
        ),
        LowStockAlert: Flow(
            ("inventory-worker",),
            "tells the operators, once per fall below the threshold",
            (_notify("low-stock"),),
        ),
        SendNotification: Flow(
            ("anyone",), "fills the template and sends it by each active channel of the recipient"
        ),
        BatchNotification: Flow(
            ("anyone",),
            "goes through the recipients, resumable, with its progress",
            (Cause(SendNotification, "once per recipient"),),
        ),
        SendEmail: Flow(("anyone",), "sends the mail as it is (legacy)"),
    }
)
"""The domain flow, in the order in which an order lives."""


def handler_of(contract: type[Event]) -> str:
    """Where the handler of a type stands: a path in the repository and the name of a function."""
    worker = WORKERS[contract.queue]
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", contract.__name__).lower()
    return f"services/{worker}/src/{worker.replace('-', '_')}/handlers.py::on_{name}"
