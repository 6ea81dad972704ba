"""What a payment is, and how its state moves.

A payment begins `capturing`. It is then `captured` or `declined`, or `unknown` as long as nobody can say
which. One that the provider never heard of is `voided` if its order is cancelled, or paid by another one.
What was captured may be `partly_refunded`, then `refunded`. Nothing goes back: a payment that is told
what it knows already, or what was true earlier, answers itself unchanged, so `after == before` means
that nothing is caused.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256

from payment_worker.domain.order import Customer, Order


class PaymentStatus(StrEnum):
    CAPTURING = "capturing"
    UNKNOWN = "unknown"
    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDED = "voided"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"


TAKES_NOTHING = frozenset({PaymentStatus.DECLINED, PaymentStatus.VOIDED})
"""A payment in any other state is the only one of its order that is."""
_IN_FLIGHT = frozenset({PaymentStatus.CAPTURING, PaymentStatus.UNKNOWN})


class PaymentError(Exception):
    """Why a payment refuses what it is told."""

    def __init__(self, payment_id: str, why: str) -> None:
        super().__init__(f"payment {payment_id}: {why}")
        self.payment_id = payment_id


class PaymentMissingError(PaymentError):
    """It is not stored, or not yet."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(payment_id, "there is none")


class PaymentConflictError(PaymentError):
    """The same id was used for another order, another amount, or another means of payment."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(payment_id, "it is known with another content")


class IllegalTransitionError(PaymentError):
    """The state would have to go back, or past its end."""

    def __init__(self, payment_id: str, status: PaymentStatus, to: PaymentStatus) -> None:
        super().__init__(payment_id, f"it is {status} and cannot be {to}")
        self.status = status
        self.to = to


class NotCapturedYetError(PaymentError):
    """Its money may still be taken: it cannot be given back before."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(payment_id, "it is not captured yet")


class RefundInFlightError(PaymentError):
    """How much is left to refund is not known before another refund has ended."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(payment_id, "another refund of it is in flight")


class NothingCapturedError(PaymentError):
    """No money was taken, and none will be."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(payment_id, "nothing was captured")


class RefundExceedsCaptureError(PaymentError):
    """More would be given back than was taken."""

    def __init__(self, payment_id: str, *, left: int, wanted: int) -> None:
        super().__init__(payment_id, f"{left} are left to refund, {wanted} wanted")
        self.left = left
        self.wanted = wanted


class AmountMismatchError(PaymentError):
    """The money is not that of the order, or not in the currency of the payment."""

    def __init__(self, payment_id: str, of: str) -> None:
        super().__init__(payment_id, f"the money is not that of the {of}")


class AlreadyPaidError(PaymentError):
    """Another payment of its order has taken the money, or is about to."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(payment_id, "its order has another payment")


class OrderIsCancelledError(PaymentError):
    """Nobody pays for a cancelled order."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(payment_id, "its order is cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Money to be taken, in minor units of `currency`, by a token that is worth it: never printed or kept."""

    payment_id: str
    order_id: str
    amount: int
    currency: str
    method: str = field(repr=False)

    @property
    def method_digest(self) -> str:
        """Tells the same token for the same payment from another one, and nothing else."""
        return sha256(f"{self.payment_id} {self.method}".encode()).hexdigest()

    def of(self, order: Order) -> "Payment":
        """The payment that takes it; raises AmountMismatchError, OrderIsCancelledError."""
        if (self.amount, self.currency) != (order.total, order.currency):
            raise AmountMismatchError(self.payment_id, "order")
        if order.cancelled:
            raise OrderIsCancelledError(self.payment_id)
        return Payment(
            payment_id=self.payment_id,
            order_id=self.order_id,
            amount=self.amount,
            currency=self.currency,
            method_digest=self.method_digest,
            key=f"capture:{self.payment_id}",
            customer=order.customer,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment of one order, and what became of it. Amounts are in minor units of `currency`."""

    payment_id: str
    order_id: str
    amount: int
    currency: str
    method_digest: str = field(repr=False)
    key: str
    """What the provider recognises the capture by: the same for every try, whoever makes it."""
    customer: Customer
    status: PaymentStatus = PaymentStatus.CAPTURING
    asked: bool = True
    """False where the provider has certainly not heard of it."""
    refunding: int = 0
    """What is promised to the customer and not yet confirmed by the provider."""
    refunded: int = 0

    @property
    def is_in_flight(self) -> bool:
        """Whether the provider has still to be asked what became of it."""
        return self.status in _IN_FLIGHT

    @property
    def in_doubt(self) -> bool:
        """Whether its money may have been taken though nobody has seen that."""
        return self.is_in_flight and self.asked

    @property
    def takes_money(self) -> bool:
        """Whether it has taken the money of its order, or may: then no other payment does."""
        return self.status not in TAKES_NOTHING

    @property
    def left(self) -> int:
        """What can still be given back; what is promised counts as given."""
        return self.amount - self.refunding - self.refunded

    def check_same(self, capture: Capture) -> None:
        """Returns if this is the payment that `capture` is to take; raises PaymentConflictError."""
        known = (self.order_id, self.amount, self.currency, self.method_digest)
        if known != (capture.order_id, capture.amount, capture.currency, capture.method_digest):
            raise PaymentConflictError(self.payment_id)

    def ask(self) -> "Payment":
        """As it is while the provider is asked; an earlier call of which nothing is known left it unknown."""
        if self.status is PaymentStatus.CAPTURING and not self.asked:
            return replace(self, asked=True)
        return self.doubt()

    def miss(self) -> "Payment":
        """The provider could not be reached: if that was the only call, nothing has happened."""
        return replace(self, asked=False) if self.status is PaymentStatus.CAPTURING else self

    def doubt(self) -> "Payment":
        """The provider was asked and has not said what happened."""
        if self.status is PaymentStatus.CAPTURING:
            return replace(self, status=PaymentStatus.UNKNOWN)
        return self

    def capture(self) -> "Payment":
        """The money was taken."""
        if self.status in TAKES_NOTHING:
            raise IllegalTransitionError(self.payment_id, self.status, PaymentStatus.CAPTURED)
        return replace(self, status=PaymentStatus.CAPTURED) if self.is_in_flight else self

    def decline(self) -> "Payment":
        """The provider refused to take the money."""
        if self.is_in_flight:
            return replace(self, status=PaymentStatus.DECLINED)
        if self.status is not PaymentStatus.DECLINED:
            raise IllegalTransitionError(self.payment_id, self.status, PaymentStatus.DECLINED)
        return self

    def void(self) -> "Payment":
        """It is not wanted any more; what the provider may have heard of goes on to its end."""
        if self.status is PaymentStatus.CAPTURING and not self.asked:
            return replace(self, status=PaymentStatus.VOIDED)
        return self

    def check_captured(self) -> None:
        """Raises NotCapturedYetError, NothingCapturedError."""
        if self.is_in_flight:
            raise NotCapturedYetError(self.payment_id)
        if self.status in TAKES_NOTHING:
            raise NothingCapturedError(self.payment_id)

    def all_of_it(self) -> int:
        """What is to be given back where all is; raises RefundInFlightError.

        What is promised to another refund may come back if the provider refuses that one.
        """
        if self.refunding:
            raise RefundInFlightError(self.payment_id)
        return self.left

    def promise(self, amount: int) -> "Payment":
        """`amount` of what was captured is about to be given back; raises RefundExceedsCaptureError."""
        if amount > self.left:
            raise RefundExceedsCaptureError(self.payment_id, left=self.left, wanted=amount)
        return replace(self, refunding=self.refunding + amount)

    def refund(self, amount: int) -> "Payment":
        """`amount` of what was promised has been given back."""
        refunded = self.refunded + amount
        status = PaymentStatus.REFUNDED if refunded == self.amount else PaymentStatus.PARTLY_REFUNDED
        return replace(self, status=status, refunding=self.refunding - amount, refunded=refunded)

    def take_back(self, amount: int) -> "Payment":
        """`amount` of what was promised will not be given back."""
        return replace(self, refunding=self.refunding - amount)
