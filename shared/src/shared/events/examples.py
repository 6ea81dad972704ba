"""One example of every event: what the documentation shows."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.events.base import Event
from shared.events.inventory import InventoryReleased, InventoryReserved, LowStockAlert
from shared.events.lines import OrderLine, StockLine
from shared.events.notifications import BatchNotification, Recipient, SendEmail, SendNotification
from shared.events.orders import Customer, OrderCancelled, OrderCreated, OrderPaid, OrderShipped
from shared.events.payments import PaymentAuthorized, PaymentRefunded

_ALL: Final[tuple[Event, ...]] = (
    OrderCreated(
        order_id="1042",
        customer=Customer(id="c-7", email="ada@example.com", name="Ada Lovelace", locale="en-GB"),
        lines=(
            OrderLine(sku="MUG-BLUE", quantity=2, unit_price=1250),
            OrderLine(sku="TEAPOT", quantity=1, unit_price=3900),
        ),
        currency="EUR",
        total=6400,
    ),
    OrderPaid(order_id="1042", payment_id="pay-311", amount=6400, currency="EUR"),
    OrderShipped(order_id="1042", carrier="DHL", tracking_number="00340434161094042557"),
    OrderCancelled(order_id="1042", reason="out_of_stock"),
    PaymentAuthorized(payment_id="pay-311", order_id="1042", amount=6400, currency="EUR", method="tok_ok"),
    PaymentRefunded(
        refund_id="ref-12",
        order_id="1042",
        payment_id="pay-311",
        amount=1250,
        currency="EUR",
        reason="One mug arrived broken",
    ),
    InventoryReserved(
        order_id="1042",
        lines=(StockLine(sku="MUG-BLUE", quantity=2), StockLine(sku="TEAPOT", quantity=1)),
    ),
    InventoryReleased(order_id="1042", reason="order_cancelled"),
    LowStockAlert(sku="MUG-BLUE", available=4, threshold=5),
    SendNotification(
        recipient=Recipient(user_id="c-7", email="ada@example.com", locale="en-GB"),
        template="order-shipped",
        channels=("email",),
        variables={
            "name": "Ada Lovelace",
            "order_id": "1042",
            "carrier": "DHL",
            "tracking_number": "00340434161094042557",
        },
    ),
    BatchNotification(
        recipients=(Recipient(user_id="c-7"), Recipient(email="grace@example.com", locale="en-US")),
        template="summer-sale",
        variables={"percent": 20},
    ),
    SendEmail(to="ada@example.com", subject="Your invoice", text="Dear Ada,\nthank you for your order."),
)

EXAMPLES: Final[Mapping[type[Event], Event]] = MappingProxyType({type(event): event for event in _ALL})
"""An example by its contract."""
