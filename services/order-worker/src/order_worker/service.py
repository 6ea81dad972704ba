"""What can be done with an order, and what that causes."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from pydantic import JsonValue

from order_worker.domain import (
    AmountMismatchError,
    Customer,
    IllegalTransitionError,
    Line,
    NotPaidYetError,
    Order,
    OrderConflictError,
    OrderMissingError,
    OrderStatus,
    Payment,
    Shipment,
    first_status,
    refund_id,
)
from order_worker.ports import Orders, Outbox
from shared.events.inventory import InventoryReleased, InventoryReserved
from shared.events.lines import StockLine
from shared.events.notifications import Recipient, SendNotification
from shared.events.orders import OrderCreated
from shared.events.payments import PaymentRefunded
from shared.queue.outcomes import GiveUpError, PostponeError


class OrderService:
    """Each use case runs in one transaction, and what it causes leaves with that commit.

    The same fact told again changes nothing and causes nothing. A use case that the order refuses
    raises the outcome that this means for the event (`refusals`), and has changed nothing.
    """

    def __init__(self, orders: Orders, outbox: Outbox) -> None:
        self._orders = orders
        self._outbox = outbox

    async def place(self, event: OrderCreated) -> None:
        """Stores a new order, pending unless it costs nothing, and asks for its stock."""
        order = _placed(event)
        if not await self._orders.add(order):
            with refusals():
                (await self._orders.find(order.order_id)).check_same(order)
            return
        lines = tuple(StockLine(sku=line.sku, quantity=line.quantity) for line in order.lines)
        self._outbox.publish(InventoryReserved(order_id=order.order_id, lines=lines))
        self._notify(
            order,
            "order-confirmation",
            lines=[line.model_dump() for line in event.lines],
            total=order.total,
            currency=order.currency,
        )

    async def pay(self, order_id: str, payment: Payment) -> None:
        """Marks the order as paid; the money for a cancelled one goes back, all of it."""
        order = await self._change(order_id, lambda order: order.pay(payment))
        if order is None:
            return
        if order.status is OrderStatus.CANCELLED:
            self._refund(order, payment.payment_id)
        else:
            self._notify(order, "payment-receipt", amount=payment.amount, currency=payment.currency)

    async def ship(self, order_id: str, shipment: Shipment) -> None:
        """Marks a paid order as shipped."""
        order = await self._change(order_id, lambda order: order.ship(shipment))
        if order is None:
            return
        parcel = {"carrier": shipment.carrier, "tracking_number": shipment.tracking_number}
        self._notify(order, "order-shipped", **parcel)

    async def cancel(self, order_id: str, reason: str) -> None:
        """Cancels an order that has not been shipped: its stock and its money go back."""
        order = await self._change(order_id, lambda order: order.cancel(reason))
        if order is None:
            return
        self._outbox.publish(InventoryReleased(order_id=order_id, reason=reason))
        if order.payment_id is not None:
            self._refund(order, order.payment_id)
        self._notify(order, "order-cancelled", reason=reason)

    async def _change(self, order_id: str, rule: Callable[[Order], Order]) -> Order | None:
        """The order after the rule, stored; None where the rule left it as it was."""
        with refusals():
            before = await self._orders.lock(order_id)
            after = rule(before)
        if after == before:
            return None
        await self._orders.save(after)
        return after

    def _refund(self, order: Order, payment_id: str) -> None:
        """Without an amount, which means all of it."""
        self._outbox.publish(
            PaymentRefunded(
                refund_id=refund_id(payment_id),
                order_id=order.order_id,
                payment_id=payment_id,
                reason="order_cancelled",
            )
        )

    def _notify(self, order: Order, template: str, **variables: JsonValue) -> None:
        customer = order.customer
        self._outbox.publish(
            SendNotification(
                recipient=Recipient(user_id=customer.id, email=customer.email, locale=customer.locale),
                template=template,
                variables={"name": customer.name, "order_id": order.order_id, **variables},
            )
        )


@contextmanager
def refusals() -> Generator[None]:
    """What an order's refusal means for the event: it comes too early, or it can never work."""
    try:
        yield
    except (OrderMissingError, NotPaidYetError) as error:
        raise PostponeError("out_of_order", str(error)) from error
    except OrderConflictError as error:
        raise GiveUpError("order_conflict", str(error)) from error
    except AmountMismatchError as error:
        raise GiveUpError("amount_mismatch", str(error)) from error
    except IllegalTransitionError as error:
        raise GiveUpError("illegal_transition", str(error)) from error


def _placed(event: OrderCreated) -> Order:
    customer = event.customer
    return Order(
        order_id=event.order_id,
        customer=Customer(customer.id, customer.email, customer.name, customer.locale),
        lines=tuple(Line(line.sku, line.quantity, line.unit_price) for line in event.lines),
        currency=event.currency,
        total=event.total,
        status=first_status(event.total),
    )
