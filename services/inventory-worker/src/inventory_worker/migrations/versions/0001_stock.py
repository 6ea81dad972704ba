"""The stock, the reservations and the movements, and the tables of delivery."""

import sqlalchemy as sa
from alembic import op

from shared.store.migrate import create_delivery_tables_v1
from shared.store.tables import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_delivery_tables_v1()
    op.create_table(
        "stock",
        sa.Column("sku", sa.String, primary_key=True),
        sa.Column("on_hand", sa.Integer, nullable=False),
        sa.Column("reserved", sa.Integer, nullable=False),
        sa.Column("low_stock_threshold", sa.Integer, nullable=False),
        sa.Column("alerted", sa.Boolean, nullable=False),
        sa.CheckConstraint("reserved >= 0", name="ck_stock_reserved"),
        sa.CheckConstraint("reserved <= on_hand", name="ck_stock_available"),
        sa.CheckConstraint("low_stock_threshold >= 0", name="ck_stock_low_stock_threshold"),
    )
    op.create_table(
        "reservations",
        sa.Column("order_id", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("lines", sa.JSON, nullable=False),
        sa.CheckConstraint("state IN ('reserved', 'refused', 'released')", name="ck_reservations_state"),
    )
    op.create_table(
        "movements",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("sku", sa.String, sa.ForeignKey("stock.sku"), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("on_hand_change", sa.Integer, nullable=False),
        sa.Column("reserved_change", sa.Integer, nullable=False),
        sa.Column("order_id", sa.String),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.CheckConstraint("kind IN ('reserved', 'released', 'adjusted')", name="ck_movements_kind"),
        sa.UniqueConstraint("sku", "order_id", "kind", name="uq_movements_once"),
    )
