"""The one list of all event types, and what may be asked of it by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pydantic import JsonValue

from shared.events.base import Event
from shared.events.examples import EXAMPLES
from shared.events.inventory import InventoryReleased, InventoryReserved, LowStockAlert
from shared.events.notifications import BatchNotification, SendEmail, SendNotification
from shared.events.orders import OrderCancelled, OrderCreated, OrderPaid, OrderShipped
from shared.events.payments import PaymentAuthorized, PaymentRefunded

EVENT_TYPES: Final[Mapping[str, type[Event]]] = MappingProxyType(
    {
        contract.type: contract
        for contract in (
            OrderCreated,
            OrderPaid,
            OrderShipped,
            OrderCancelled,
            PaymentAuthorized,
            PaymentRefunded,
            InventoryReserved,
            InventoryReleased,
            LowStockAlert,
            SendNotification,
            BatchNotification,
            SendEmail,
        )
    }
)
"""Every contract by the name of its type."""

QUEUES: Final[tuple[str, ...]] = ("orders", "payments", "inventory", "notifications")
"""Every queue; each type belongs to one of them."""


class UnknownTypeError(LookupError):
    """There is no contract of this name. The message does not repeat it, since anyone may have sent it."""

    def __init__(self, type_name: str) -> None:
        super().__init__("unknown event type")
        self.type_name = type_name


def contract_of(type_name: str) -> type[Event]:
    """The contract of a type; raises `UnknownTypeError`."""
    try:
        return EVENT_TYPES[type_name]
    except KeyError:
        raise UnknownTypeError(type_name) from None


def queue_of(type_name: str) -> str:
    """The queue that carries a type; raises `UnknownTypeError`."""
    return contract_of(type_name).queue


def parse(type_name: str, data: str | bytes) -> Event:
    """The event of this type whose data is this JSON text.

    Raises `UnknownTypeError`, or pydantic's `ValidationError` for whatever is wrong with the text, be it
    no UTF-8, no JSON or against the contract. Of a key that is given twice the last one counts.
    """
    return contract_of(type_name).model_validate_json(data, strict=True)


def json_schema(type_name: str) -> dict[str, JsonValue]:
    """The JSON Schema (2020-12) of a type's data, with an example; raises `UnknownTypeError`.

    Rules between fields are in the descriptions only.
    """
    contract = contract_of(type_name)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **contract.model_json_schema(),
        "examples": [EXAMPLES[contract].to_data()],
    }
