"""What a refund is: money of one payment on its way back, under one id, once."""

from dataclasses import dataclass, replace
from enum import StrEnum

from payment_worker.domain.payment import AmountMismatchError, Payment, PaymentConflictError


class RefundStatus(StrEnum):
    REFUNDING = "refunding"
    UNKNOWN = "unknown"
    REFUNDED = "refunded"
    REFUSED = "refused"


class RefundError(Exception):
    """Why a refund refuses what it is told."""

    def __init__(self, refund_id: str, why: str) -> None:
        super().__init__(f"refund {refund_id}: {why}")
        self.refund_id = refund_id


class RefundConflictError(RefundError):
    """The same id was used for another payment or another amount."""

    def __init__(self, refund_id: str) -> None:
        super().__init__(refund_id, "it is known with another content")


class RefundRefusedError(RefundError):
    """The provider knows of less money than is known here."""

    def __init__(self, refund_id: str) -> None:
        super().__init__(refund_id, "the provider says that less was captured")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWish:
    """Money that is to be given back, as it was asked for: of that payment, or of the order's.

    Without an `amount` it is all that is left.
    """

    refund_id: str
    order_id: str
    payment_id: str | None
    amount: int | None
    currency: str | None

    def of(self, payment: Payment) -> "Refund | None":
        """The refund that this is; None where all is to be given back and nothing is left.

        Raises AmountMismatchError, RefundInFlightError, PaymentConflictError for a payment of another order.
        """
        if payment.order_id != self.order_id:
            raise PaymentConflictError(payment.payment_id)
        if self.currency not in {None, payment.currency}:
            raise AmountMismatchError(payment.payment_id, "payment")
        amount = payment.all_of_it() if self.amount is None else self.amount
        if amount == 0:
            return None
        return Refund(
            refund_id=self.refund_id,
            payment_id=payment.payment_id,
            order_id=self.order_id,
            amount=amount,
            currency=payment.currency,
            key=f"refund:{self.refund_id}",
            all_of_it=self.amount is None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money on its way back. `amount` is in minor units of `currency`."""

    refund_id: str
    payment_id: str
    order_id: str
    amount: int
    currency: str
    key: str
    """What the provider recognises it by: the same for every try."""
    all_of_it: bool
    """Whether it was asked for without an amount."""
    status: RefundStatus = RefundStatus.REFUNDING
    asked: bool = True
    """False where the provider has certainly not heard of it."""

    @property
    def is_in_flight(self) -> bool:
        return self.status in {RefundStatus.REFUNDING, RefundStatus.UNKNOWN}

    @property
    def in_doubt(self) -> bool:
        """Whether the money may have been given back though nobody has seen that."""
        return self.is_in_flight and self.asked

    def check_same(self, wish: RefundWish) -> None:
        """Returns if this is what is wished again; raises RefundConflictError otherwise."""
        wished = (wish.order_id, wish.payment_id or self.payment_id, wish.amount is None)
        money = wish.amount is None or (wish.amount, wish.currency) == (self.amount, self.currency)
        if wished != (self.order_id, self.payment_id, self.all_of_it) or not money:
            raise RefundConflictError(self.refund_id)

    def ask(self) -> "Refund":
        """As it is while the provider is asked; an earlier call of which nothing is known left it unknown."""
        if self.status is RefundStatus.REFUNDING and not self.asked:
            return replace(self, asked=True)
        return self.doubt()

    def miss(self) -> "Refund":
        """The provider could not be reached: if that was the only call, nothing has happened."""
        return replace(self, asked=False) if self.status is RefundStatus.REFUNDING else self

    def doubt(self) -> "Refund":
        """The provider was asked and has not said what happened."""
        return replace(self, status=RefundStatus.UNKNOWN) if self.is_in_flight else self

    def complete(self) -> "Refund":
        """The money was given back."""
        return replace(self, status=RefundStatus.REFUNDED)

    def refuse(self) -> "Refund":
        """The provider will not give it back."""
        return replace(self, status=RefundStatus.REFUSED)
