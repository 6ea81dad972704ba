"""What order-worker listens to. Each handler names one use case; it decides nothing."""

from typing import Annotated

from faststream import Depends

from order_worker.adapters.orders import SqlOrders
from order_worker.domain import Payment, Shipment
from order_worker.service import OrderService
from shared.events.orders import OrderCancelled, OrderCreated, OrderPaid, OrderShipped
from shared.queue import Queue
from shared.store.unit import CurrentUnit

orders = Queue("orders")


def order_service(unit: CurrentUnit) -> OrderService:
    return OrderService(SqlOrders(unit.session), unit)


Orders = Annotated[OrderService, Depends(order_service)]


@orders.on(OrderCreated)
async def on_order_created(event: OrderCreated, service: Orders) -> None:
    await service.place(event)


@orders.on(OrderPaid)
async def on_order_paid(event: OrderPaid, service: Orders) -> None:
    await service.pay(event.order_id, Payment(event.payment_id, event.amount, event.currency))


@orders.on(OrderShipped)
async def on_order_shipped(event: OrderShipped, service: Orders) -> None:
    await service.ship(event.order_id, Shipment(event.carrier, event.tracking_number))


@orders.on(OrderCancelled)
async def on_order_cancelled(event: OrderCancelled, service: Orders) -> None:
    await service.cancel(event.order_id, event.reason)
