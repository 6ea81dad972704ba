"""What an event asks for, in the words of the domain, and whether it may have happened unseen."""

from contextlib import suppress

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from payment_worker.adapters.payments import find_payment
from payment_worker.adapters.refunds import find_refund
from payment_worker.domain.payment import Capture, PaymentConflictError
from payment_worker.domain.refund import RefundConflictError, RefundWish
from shared.events import Envelope, UnknownTypeError, parse
from shared.events.payments import PaymentAuthorized, PaymentRefunded


def capture_of(event: PaymentAuthorized) -> Capture:
    return Capture(
        payment_id=event.payment_id,
        order_id=event.order_id,
        amount=event.amount,
        currency=event.currency,
        method=event.method,
    )


def wish_of(event: PaymentRefunded) -> RefundWish:
    return RefundWish(
        refund_id=event.refund_id,
        order_id=event.order_id,
        payment_id=event.payment_id,
        amount=event.amount,
        currency=event.currency,
    )


async def in_doubt(session: AsyncSession, envelope: Envelope) -> bool:
    """Whether the money that this event is about may have moved though nobody has seen that.

    An event that only uses the id of another one's payment or refund has moved nothing.
    """
    with suppress(UnknownTypeError, ValidationError, PaymentConflictError, RefundConflictError):
        match parse(envelope.type, envelope.data):
            case PaymentAuthorized() as event:
                payment = await find_payment(session, event.payment_id)
                if payment:
                    payment.check_same(capture_of(event))
                    return payment.in_doubt
            case PaymentRefunded() as event:
                refund = await find_refund(session, event.refund_id)
                if refund:
                    refund.check_same(wish_of(event))
                    return refund.in_doubt
            case _:
                pass
    return False
