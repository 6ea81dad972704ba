"""The tables of payments and refunds. What the domain promises, the database refuses to break."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, text, true
from sqlmodel import Field

from shared.store.claims import Claimable
from shared.store.tables import UtcDateTime

LIVE = text("status NOT IN ('declined', 'voided')")
"""Which payments take money, or may."""


class PaymentRow(Claimable, table=True):
    """One payment, from the intent on. Money is in minor units of `currency`."""

    __tablename__ = "payments"  # pyright: ignore[reportAssignmentType] - SQLModel's own way
    __table_args__ = (
        CheckConstraint(
            "status IN ('capturing', 'unknown', 'captured', 'declined', 'voided',"
            " 'partly_refunded', 'refunded')",
            name="ck_payments_status",
        ),
        CheckConstraint("amount > 0", name="ck_payments_amount"),
        CheckConstraint(
            "refunding >= 0 AND refunded >= 0 AND refunding + refunded <= amount", name="ck_payments_refunds"
        ),
        CheckConstraint(
            "refunding + refunded = 0 OR status IN ('captured', 'partly_refunded', 'refunded')",
            name="ck_payments_captured",
        ),
        Index("uq_payments_order", "order_id", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
        Index("ix_payments_order", "order_id", "created_at"),
    )

    payment_id: str = Field(primary_key=True)
    order_id: str
    amount: int = Field(sa_type=BigInteger)
    currency: str
    method_digest: str
    """The token itself is worth money, and is not kept."""
    key: str
    customer_id: str
    customer_email: str
    customer_name: str
    customer_locale: str | None = None
    status: str
    asked: bool
    """False where the provider has certainly not heard of it."""
    refunding: int = Field(sa_type=BigInteger)
    refunded: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UtcDateTime)


class RefundRow(Claimable, table=True):
    """One refund, from the intent on."""

    __tablename__ = "refunds"  # pyright: ignore[reportAssignmentType] - SQLModel's own way
    __table_args__ = (
        CheckConstraint(
            "status IN ('refunding', 'unknown', 'refunded', 'refused')", name="ck_refunds_status"
        ),
        CheckConstraint("amount > 0", name="ck_refunds_amount"),
    )

    refund_id: str = Field(primary_key=True)
    payment_id: str = Field(foreign_key="payments.payment_id")
    order_id: str
    amount: int = Field(sa_type=BigInteger)
    currency: str
    key: str
    all_of_it: bool
    status: str
    asked: bool = Field(sa_column_kwargs={"server_default": true()})
    """As of a payment; of one that an older version stored nobody knows, so it counts as asked."""
    created_at: datetime = Field(sa_type=UtcDateTime)
