"""The contracts: every event that the services speak of, one file a domain."""

from shared.events.base import Contract, Event, OrderEvent
from shared.events.catalog import (
    EVENT_TYPES,
    QUEUES,
    UnknownTypeError,
    contract_of,
    json_schema,
    parse,
    queue_of,
)
from shared.events.envelope import Envelope, Priority
from shared.events.examples import EXAMPLES
from shared.events.flow import FLOW, WORKERS, Cause, Flow, handler_of
from shared.events.ids import new_id
from shared.events.inventory import STOCK_MAX, InventoryReleased, InventoryReserved, LowStockAlert
from shared.events.lines import OrderLine, StockLine
from shared.events.notifications import BatchNotification, Recipient, SendEmail, SendNotification
from shared.events.orders import Customer, OrderCancelled, OrderCreated, OrderPaid, OrderShipped
from shared.events.payments import PaymentAuthorized, PaymentRefunded
from shared.events.text import Identifier, Sku

__all__ = [
    "EVENT_TYPES",
    "EXAMPLES",
    "FLOW",
    "QUEUES",
    "STOCK_MAX",
    "WORKERS",
    "BatchNotification",
    "Cause",
    "Contract",
    "Customer",
    "Envelope",
    "Event",
    "Flow",
    "Identifier",
    "InventoryReleased",
    "InventoryReserved",
    "LowStockAlert",
    "OrderCancelled",
    "OrderCreated",
    "OrderEvent",
    "OrderLine",
    "OrderPaid",
    "OrderShipped",
    "PaymentAuthorized",
    "PaymentRefunded",
    "Priority",
    "Recipient",
    "SendEmail",
    "SendNotification",
    "Sku",
    "StockLine",
    "UnknownTypeError",
    "contract_of",
    "handler_of",
    "json_schema",
    "new_id",
    "parse",
    "queue_of",
]
