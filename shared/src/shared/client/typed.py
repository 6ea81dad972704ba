"""A method for each event type, with the fields of its data as keyword arguments."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Unpack

from pydantic import JsonValue

from shared.client.request import Published, PublishOptions
from shared.events import (
    BatchNotification,
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
    Recipient,
    SendEmail,
    SendNotification,
    StockLine,
)


class TypedPublishing(ABC):
    """What each event needs, checked before anything is sent: pydantic's `ValidationError` says what is off.

    Every method answers and raises as `publish` does.
    """

    @abstractmethod
    async def publish(self, event: Event, **options: Unpack[PublishOptions]) -> Published:
        """Publishes one event."""

    async def publish_order_created(
        self,
        *,
        order_id: str,
        customer: Customer,
        lines: Iterable[OrderLine],
        currency: str,
        total: int,
        **options: Unpack[PublishOptions],
    ) -> Published:
        event = OrderCreated(
            order_id=order_id, customer=customer, lines=tuple(lines), currency=currency, total=total
        )
        return await self.publish(event, **options)

    async def publish_order_paid(
        self,
        *,
        order_id: str,
        payment_id: str,
        amount: int,
        currency: str,
        **options: Unpack[PublishOptions],
    ) -> Published:
        """Internal: the key needs the scope `events:write:ORDER_PAID`."""
        event = OrderPaid(order_id=order_id, payment_id=payment_id, amount=amount, currency=currency)
        return await self.publish(event, **options)

    async def publish_order_shipped(
        self, *, order_id: str, carrier: str, tracking_number: str, **options: Unpack[PublishOptions]
    ) -> Published:
        event = OrderShipped(order_id=order_id, carrier=carrier, tracking_number=tracking_number)
        return await self.publish(event, **options)

    async def publish_order_cancelled(
        self, *, order_id: str, reason: str, **options: Unpack[PublishOptions]
    ) -> Published:
        return await self.publish(OrderCancelled(order_id=order_id, reason=reason), **options)

    async def publish_payment_authorized(
        self,
        *,
        payment_id: str,
        order_id: str,
        amount: int,
        currency: str,
        method: str,
        **options: Unpack[PublishOptions],
    ) -> Published:
        event = PaymentAuthorized(
            payment_id=payment_id, order_id=order_id, amount=amount, currency=currency, method=method
        )
        return await self.publish(event, **options)

    async def publish_payment_refunded(
        self,
        *,
        refund_id: str,
        order_id: str,
        reason: str,
        payment_id: str | None = None,
        amount: int | None = None,
        currency: str | None = None,
        **options: Unpack[PublishOptions],
    ) -> Published:
        """Without an amount all of it is given back."""
        event = PaymentRefunded(
            refund_id=refund_id,
            order_id=order_id,
            payment_id=payment_id,
            amount=amount,
            currency=currency,
            reason=reason,
        )
        return await self.publish(event, **options)

    async def publish_inventory_reserved(
        self, *, order_id: str, lines: Iterable[StockLine], **options: Unpack[PublishOptions]
    ) -> Published:
        """Internal: the key needs the scope `events:write:INVENTORY_RESERVED`."""
        return await self.publish(InventoryReserved(order_id=order_id, lines=tuple(lines)), **options)

    async def publish_inventory_released(
        self, *, order_id: str, reason: str, **options: Unpack[PublishOptions]
    ) -> Published:
        """Internal: the key needs the scope `events:write:INVENTORY_RELEASED`."""
        return await self.publish(InventoryReleased(order_id=order_id, reason=reason), **options)

    async def publish_low_stock_alert(
        self, *, sku: str, available: int, threshold: int, **options: Unpack[PublishOptions]
    ) -> Published:
        """Internal: the key needs the scope `events:write:LOW_STOCK_ALERT`."""
        return await self.publish(LowStockAlert(sku=sku, available=available, threshold=threshold), **options)

    async def publish_send_notification(
        self,
        *,
        recipient: Recipient,
        template: str,
        variables: Mapping[str, JsonValue],
        channels: Iterable[str] | None = None,
        critical: bool = False,
        **options: Unpack[PublishOptions],
    ) -> Published:
        event = SendNotification(
            recipient=recipient,
            template=template,
            channels=None if channels is None else tuple(channels),
            variables=dict(variables),
            critical=critical,
        )
        return await self.publish(event, **options)

    async def publish_batch_notification(
        self,
        *,
        recipients: Iterable[Recipient],
        template: str,
        variables: Mapping[str, JsonValue],
        channels: Iterable[str] | None = None,
        **options: Unpack[PublishOptions],
    ) -> Published:
        event = BatchNotification(
            recipients=tuple(recipients),
            template=template,
            channels=None if channels is None else tuple(channels),
            variables=dict(variables),
        )
        return await self.publish(event, **options)

    async def publish_send_email(
        self,
        *,
        to: str,
        subject: str,
        text: str | None = None,
        html: str | None = None,
        **options: Unpack[PublishOptions],
    ) -> Published:
        return await self.publish(SendEmail(to=to, subject=subject, text=text, html=html), **options)
