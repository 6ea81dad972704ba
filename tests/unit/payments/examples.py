"""One order, its payment, a refund, and how they may refuse."""

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

import pytest

from payment_worker.domain.order import Customer, Order
from payment_worker.domain.payment import Capture, Payment, PaymentStatus
from payment_worker.domain.refund import RefundWish
from shared.queue.outcomes import GiveUpError, PostponeError

DAY = timedelta(days=1)
CUSTOMER = Customer("customer-1", "ada@example.com", "Ada Lovelace", "en")
ORDER = Order(order_id="order-1", total=3700, currency="EUR", cancelled=False, customer=CUSTOMER)
CANCELLED = replace(ORDER, cancelled=True)
CAPTURE = Capture(payment_id="payment-1", order_id="order-1", amount=3700, currency="EUR", method="tok_ok")
SECOND = replace(CAPTURE, payment_id="payment-2")
OTHERS = [
    replace(CAPTURE, order_id="order-2"),
    replace(CAPTURE, amount=3699),
    replace(CAPTURE, currency="USD"),
    replace(CAPTURE, method="tok_slow"),
]
"""Other captures under the same id."""


def a_payment(
    status: PaymentStatus = PaymentStatus.CAPTURED,
    *,
    asked: bool = True,
    refunding: int = 0,
    refunded: int = 0,
    capture: Capture = CAPTURE,
) -> Payment:
    payment = capture.of(replace(ORDER, order_id=capture.order_id))
    return replace(payment, status=status, asked=asked, refunding=refunding, refunded=refunded)


def a_wish(
    refund_id: str = "refund-1", amount: int | None = None, payment_id: str | None = "payment-1"
) -> RefundWish:
    currency = None if amount is None else "EUR"
    return RefundWish(
        refund_id=refund_id, order_id="order-1", payment_id=payment_id, amount=amount, currency=currency
    )


def dead(reason: str) -> AbstractContextManager[object]:
    """What is done within makes the event dead, for this reason."""
    return pytest.raises(GiveUpError, check=lambda error: error.reason == reason)


def postponed(reason: str, *, at_most: timedelta | None = DAY) -> AbstractContextManager[object]:
    """What is done within has to wait, for this reason and no longer."""
    expected = (reason, at_most)
    return pytest.raises(PostponeError, check=lambda error: (error.reason, error.at_most) == expected)
