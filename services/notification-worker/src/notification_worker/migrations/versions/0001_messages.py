"""The messages, the templates and the batches, and the tables of delivery."""

import sqlalchemy as sa
from alembic import op

from shared.store.migrate import create_delivery_tables_v1
from shared.store.tables import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_delivery_tables_v1()
    op.create_table(
        "messages",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("event_id", sa.String, nullable=False),
        sa.Column("recipient", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("address", sa.String),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("uncertain", sa.Boolean, nullable=False),
        sa.Column("sendings", sa.Integer, nullable=False),
        sa.Column("template", sa.String),
        sa.Column("subject", sa.Text),
        sa.Column("text", sa.Text),
        sa.Column("html", sa.Text),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("read_at", UtcDateTime),
        sa.Column("claim_owner", sa.String),
        sa.Column("claim_until", UtcDateTime),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'read', 'failed', 'skipped')", name="ck_messages_state"
        ),
        sa.UniqueConstraint("event_id", "recipient", "channel", name="uq_messages_once"),
    )
    op.create_index("ix_messages_list", "messages", ["channel", "address", "created_at", "id"])
    op.create_table(
        "notification_templates",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("locale", sa.String, primary_key=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("html", sa.Text),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("seed", sa.String),
    )
    op.create_table(
        "batches",
        sa.Column("event_id", sa.String, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
