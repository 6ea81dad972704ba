"""Money promised and money given back."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.events.base import OrderEvent
from shared.events.money import Amount, Currency
from shared.events.text import Identifier, Reason

PaymentMethod = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._:-]{0,254}$",
        min_length=1,
        max_length=255,
        repr=False,
        description="the provider's token for the means of payment, never a card number",
    ),
]
"""A token that is worth money: it is left out of the printed form."""


class PaymentAuthorized(OrderEvent):
    """A customer has agreed to pay an order; the money is still to be captured."""

    type: ClassVar[str] = "PAYMENT_AUTHORIZED"
    queue: ClassVar[str] = "payments"

    payment_id: Identifier
    amount: Amount
    currency: Currency
    method: PaymentMethod

    def subject(self) -> str | None:
        return f"payment/{self.payment_id}"


class PaymentRefunded(OrderEvent):
    """Money for an order is to be given back: `amount`, or all of it where there is none."""

    type: ClassVar[str] = "PAYMENT_REFUNDED"
    queue: ClassVar[str] = "payments"

    refund_id: Identifier
    payment_id: Identifier | None = None
    amount: Amount | None = None
    currency: Currency | None = None
    reason: Reason

    @model_validator(mode="after")
    def _amount_and_currency_come_together(self) -> Self:
        if (self.amount is None) != (self.currency is None):
            raise PydanticCustomError("amount_incomplete", "An amount and its currency come together")
        return self

    def subject(self) -> str | None:
        return f"payment/{self.payment_id}" if self.payment_id else super().subject()
