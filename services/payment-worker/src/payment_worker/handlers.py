"""What payment-worker listens to. Each handler names one use case; it decides nothing.

Money moves at the provider, outside of the database: no transaction is open while these run.
"""

from datetime import timedelta
from typing import Annotated

from faststream import Context, Depends

from payment_worker.adapters.events import capture_of, wish_of
from payment_worker.adapters.work import SqlWork
from payment_worker.ports import Orders, Provider
from payment_worker.service.captures import CaptureService
from payment_worker.service.refunds import RefundService
from shared.events.payments import PaymentAuthorized, PaymentRefunded
from shared.queue import Queue
from shared.store.steps import CurrentSteps

payments = Queue("payments")

# What `main` puts into the context.
TheProvider = Annotated[Provider, Context("provider")]
TheOrders = Annotated[Orders, Context("orders")]
ClaimFor = Annotated[timedelta, Context("claim_for")]


def capture_service(
    steps: CurrentSteps, orders: TheOrders, provider: TheProvider, claim_for: ClaimFor
) -> CaptureService:
    return CaptureService(SqlWork(steps, claim_for), orders, provider)


def refund_service(steps: CurrentSteps, provider: TheProvider, claim_for: ClaimFor) -> RefundService:
    return RefundService(SqlWork(steps, claim_for), provider)


Captures = Annotated[CaptureService, Depends(capture_service)]
Refunds = Annotated[RefundService, Depends(refund_service)]


@payments.on(PaymentAuthorized, outside=True)
async def on_payment_authorized(event: PaymentAuthorized, service: Captures) -> None:
    await service.capture(capture_of(event))


@payments.on(PaymentRefunded, outside=True)
async def on_payment_refunded(event: PaymentRefunded, service: Refunds) -> None:
    await service.refund(wish_of(event))
