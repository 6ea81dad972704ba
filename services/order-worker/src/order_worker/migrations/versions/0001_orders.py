"""The orders, and the tables of delivery."""

import sqlalchemy as sa
from alembic import op

from shared.store.migrate import create_delivery_tables_v1

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_delivery_tables_v1()
    op.create_table(
        "orders",
        sa.Column("order_id", sa.String, primary_key=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("customer_id", sa.String, nullable=False),
        sa.Column("customer_email", sa.String, nullable=False),
        sa.Column("customer_name", sa.String, nullable=False),
        sa.Column("customer_locale", sa.String),
        sa.Column("lines", sa.JSON, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("payment_id", sa.String),
        sa.Column("carrier", sa.String),
        sa.Column("tracking_number", sa.String),
        sa.Column("cancel_reason", sa.String),
        sa.CheckConstraint("status IN ('pending', 'paid', 'shipped', 'cancelled')", name="ck_orders_status"),
        sa.CheckConstraint("total >= 0", name="ck_orders_total"),
    )
