"""The payments, their refunds, and the tables of delivery."""

import sqlalchemy as sa
from alembic import op

from shared.store.migrate import claim_columns_v1, create_delivery_tables_v1
from shared.store.tables import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_delivery_tables_v1()
    op.create_table(
        "payments",
        sa.Column("payment_id", sa.String, primary_key=True),
        sa.Column("order_id", sa.String, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("method_digest", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("customer_id", sa.String, nullable=False),
        sa.Column("customer_email", sa.String, nullable=False),
        sa.Column("customer_name", sa.String, nullable=False),
        sa.Column("customer_locale", sa.String),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("asked", sa.Boolean, nullable=False),
        sa.Column("refunding", sa.BigInteger, nullable=False),
        sa.Column("refunded", sa.BigInteger, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        *claim_columns_v1(),
        sa.CheckConstraint(
            "status IN ('capturing', 'unknown', 'captured', 'declined', 'voided',"
            " 'partly_refunded', 'refunded')",
            name="ck_payments_status",
        ),
        sa.CheckConstraint("amount > 0", name="ck_payments_amount"),
        sa.CheckConstraint(
            "refunding >= 0 AND refunded >= 0 AND refunding + refunded <= amount", name="ck_payments_refunds"
        ),
        sa.CheckConstraint(
            "refunding + refunded = 0 OR status IN ('captured', 'partly_refunded', 'refunded')",
            name="ck_payments_captured",
        ),
    )
    live = sa.text("status NOT IN ('declined', 'voided')")
    op.create_index(
        "uq_payments_order", "payments", ["order_id"], unique=True, sqlite_where=live, postgresql_where=live
    )
    op.create_index("ix_payments_order", "payments", ["order_id", "created_at"])
    op.create_table(
        "refunds",
        sa.Column("refund_id", sa.String, primary_key=True),
        sa.Column("payment_id", sa.String, sa.ForeignKey("payments.payment_id"), nullable=False),
        sa.Column("order_id", sa.String, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("all_of_it", sa.Boolean, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        *claim_columns_v1(),
        sa.CheckConstraint(
            "status IN ('refunding', 'unknown', 'refunded', 'refused')", name="ck_refunds_status"
        ),
        sa.CheckConstraint("amount > 0", name="ck_refunds_amount"),
    )
