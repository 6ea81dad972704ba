"""What an event says, in a few words for a person."""

from functools import singledispatch

from shared.events import (
    Event,
    InventoryReleased,
    InventoryReserved,
    LowStockAlert,
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    OrderShipped,
    PaymentAuthorized,
    PaymentRefunded,
    SendNotification,
)


def money(amount: int, currency: str) -> str:
    """`12.50 EUR` for 1250: the demo's currency has hundredths."""
    return f"{amount // 100}.{amount % 100:02d} {currency}"


def counted(quantity: int, sku: str) -> str:
    """`1 mug`, `3 mugs`: the demo's goods are all regular."""
    return f"{quantity} {sku}{'' if quantity == 1 else 's'}"


@singledispatch
def in_words(event: Event) -> str:
    """What this event is about."""
    return event.subject() or ""


@in_words.register
def _(event: OrderCreated) -> str:
    return f"{event.customer.name}: {_goods(event)}, {money(event.total, event.currency)}"


@in_words.register
def _(event: InventoryReserved) -> str:
    return f"wanted from stock: {_goods(event)}"


@in_words.register
def _(event: PaymentAuthorized) -> str:
    return f"{money(event.amount, event.currency)} by {event.method}"


@in_words.register
def _(event: OrderPaid) -> str:
    return f"{money(event.amount, event.currency)} taken"


@in_words.register
def _(event: OrderShipped) -> str:
    return f"{event.carrier} {event.tracking_number}"


@in_words.register
def _(event: OrderCancelled) -> str:
    return f"because: {_plain(event.reason)}"


@in_words.register
def _(event: InventoryReleased) -> str:
    return f"stock goes back: {_plain(event.reason)}"


@in_words.register
def _(event: PaymentRefunded) -> str:
    amount = "all of it" if event.amount is None else money(event.amount, event.currency or "")
    return f"{amount} goes back: {_plain(event.reason)}"


@in_words.register
def _(event: LowStockAlert) -> str:
    return f"{counted(event.available, event.sku)} left, fewer than {event.threshold}"


@in_words.register
def _(event: SendNotification) -> str:
    return f"{event.template} to {event.recipient.email or event.recipient.user_id}"


def _goods(event: OrderCreated | InventoryReserved) -> str:
    return ", ".join(counted(line.quantity, line.sku) for line in event.lines)


def _plain(reason: str) -> str:
    return reason.replace("_", " ")
