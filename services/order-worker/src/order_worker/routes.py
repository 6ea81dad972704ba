"""What order-worker answers over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from order_worker.adapters.orders import SqlOrders
from order_worker.domain import Order, OrderMissingError, OrderStatus
from shared.events.text import Identifier
from shared.service.app import Reading
from shared.service.keys import Policy
from shared.service.openapi import problems
from shared.service.problem import Kind, Problem

router = APIRouter(tags=["orders"])


class CustomerBody(BaseModel):
    id: str
    email: str
    name: str
    locale: str | None


class LineBody(BaseModel):
    sku: str
    quantity: int
    unit_price: int


class OrderBody(BaseModel):
    """An order as it is now. Money is in minor units of `currency`."""

    order_id: str
    status: OrderStatus
    customer: CustomerBody
    lines: list[LineBody]
    currency: str
    total: int
    payment_id: str | None
    carrier: str | None
    tracking_number: str | None
    cancel_reason: str | None


@router.get(
    "/v1/orders/{order_id}",
    dependencies=[Depends(Policy("events:read", "admin:read"))],
    responses=problems(Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.NOT_FOUND, Kind.INVALID, Kind.UNAVAILABLE),
    summary="One order",
)
async def show_order(order_id: Annotated[Identifier, Path()], session: Reading) -> OrderBody:
    try:
        return _body(await SqlOrders(session).find(order_id))
    except OrderMissingError:
        raise Problem(Kind.NOT_FOUND) from None


def _body(order: Order) -> OrderBody:
    customer, shipment = order.customer, order.shipment
    return OrderBody(
        order_id=order.order_id,
        status=order.status,
        customer=CustomerBody(
            id=customer.id, email=customer.email, name=customer.name, locale=customer.locale
        ),
        lines=[
            LineBody(sku=line.sku, quantity=line.quantity, unit_price=line.unit_price) for line in order.lines
        ],
        currency=order.currency,
        total=order.total,
        payment_id=order.payment_id,
        carrier=shipment.carrier if shipment else None,
        tracking_number=shipment.tracking_number if shipment else None,
        cancel_reason=order.cancel_reason,
    )
