"""What payment-worker answers over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from payment_worker.adapters.payments import list_payments
from payment_worker.domain.payment import Payment, PaymentStatus
from shared.events.text import Identifier
from shared.service.app import Reading
from shared.service.keys import Policy
from shared.service.openapi import problems
from shared.service.problem import Kind

router = APIRouter(tags=["payments"])

LIMIT = 200


class PaymentsQuery(BaseModel):
    """Whose payments, and how many of them."""

    model_config = ConfigDict(extra="forbid")

    order_id: Identifier
    limit: Annotated[int, Field(ge=1, le=LIMIT)] = 50


class PaymentBody(BaseModel):
    """A payment as it is now. Money is in minor units of `currency`."""

    payment_id: str
    order_id: str
    amount: int
    currency: str
    status: PaymentStatus
    refunding: int
    refunded: int
    created_at: datetime


class PaymentList(BaseModel):
    items: list[PaymentBody]


@router.get(
    "/v1/payments",
    dependencies=[Depends(Policy("events:read", "admin:read"))],
    responses=problems(Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.INVALID, Kind.UNAVAILABLE),
    summary="The payments of an order, newest first",
)
async def show_payments(query: Annotated[PaymentsQuery, Query()], session: Reading) -> PaymentList:
    found = await list_payments(session, query.order_id, query.limit)
    return PaymentList(items=[_body(payment, created_at) for payment, created_at in found])


def _body(payment: Payment, created_at: datetime) -> PaymentBody:
    return PaymentBody(
        payment_id=payment.payment_id,
        order_id=payment.order_id,
        amount=payment.amount,
        currency=payment.currency,
        status=payment.status,
        refunding=payment.refunding,
        refunded=payment.refunded,
        created_at=created_at,
    )
