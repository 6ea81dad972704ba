"""The journal, tries, dead letters, idempotency keys, API keys."""

import sqlalchemy as sa
from alembic import op

from shared.store.migrate import create_sendable_indexes_v1, sendable_columns_v1
from shared.store.tables import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "journal",
        *sendable_columns_v1(),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("error", sa.Text),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("retry_at", UtcDateTime),
        sa.Column("uncertain", sa.Boolean, nullable=False),
        sa.Column("filled", sa.Boolean, nullable=False),
        sa.Column("fingerprint", sa.String),
    )
    create_sendable_indexes_v1("journal")
    op.create_index("ix_journal_time", "journal", ["time", "id"])
    op.create_index("ix_journal_causation", "journal", ["causation_id"])
    for name, column in (
        ("status", "status"),
        ("queue", "queue"),
        ("type", "type"),
        ("subject", "subject"),
        ("correlation", "correlation_id"),
    ):
        op.create_index(f"ix_journal_{name}", "journal", [column, "time", "id"])
    _create_beside()


def _create_beside() -> None:
    op.create_table(
        "journal_attempt",
        sa.Column("event_id", sa.String, primary_key=True),
        sa.Column("run", sa.Integer, primary_key=True),
        sa.Column("started_at", UtcDateTime, primary_key=True),
        sa.Column("ended_at", UtcDateTime, nullable=False),
        sa.Column("effort", sa.String, nullable=False),
        sa.Column("worker", sa.String, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("error", sa.Text),
        sa.Column("traceback", sa.Text),
        sa.Column("retry_at", UtcDateTime),
    )
    op.create_table(
        "dead_letter",
        sa.Column("event_id", sa.String, primary_key=True),
        sa.Column("run", sa.Integer, primary_key=True),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("queue", sa.String, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("error", sa.Text),
        sa.Column("traceback", sa.Text),
        sa.Column("raw", sa.LargeBinary),
        sa.Column("ended_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_dead_letter_ended", "dead_letter", ["ended_at"])
    op.create_table(
        "idempotency_key",
        sa.Column("principal", sa.String, primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_idempotency_key_created", "idempotency_key", ["created_at"])
    op.create_table(
        "api_key",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("name", sa.String, nullable=False, index=True),
        sa.Column("scopes", sa.String, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
    )
