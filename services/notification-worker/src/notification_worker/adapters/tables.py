"""The tables of this service."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from shared.store.claims import Claimable
from shared.store.tables import UtcDateTime, utc_now

STATES = "state IN ('queued', 'sending', 'sent', 'read', 'failed', 'skipped')"


class MessageRow(Claimable, table=True):
    """What one event says to one person by one channel; a mail's content is kept until it is sent."""

    __tablename__ = "messages"  # pyright: ignore[reportAssignmentType] - SQLModel's own way
    __table_args__ = (
        CheckConstraint(STATES, name="ck_messages_state"),
        UniqueConstraint("event_id", "recipient", "channel", name="uq_messages_once"),
        Index("ix_messages_list", "channel", "address", "created_at", "id"),
    )

    id: str = Field(primary_key=True)
    """Made from the event, the channel and the recipient; a mail's Message-ID has it too."""
    event_id: str
    recipient: str
    channel: str
    address: str | None = None
    state: str
    reason: str | None = Field(default=None, sa_type=Text)
    run: int = 0
    uncertain: bool = False
    sendings: int = 0
    template: str | None = None
    subject: str | None = Field(default=None, sa_type=Text)
    text: str | None = Field(default=None, sa_type=Text)
    html: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    read_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class TemplateRow(SQLModel, table=True):
    """A template; an empty locale means everybody's."""

    __tablename__ = "notification_templates"  # pyright: ignore[reportAssignmentType] - SQLModel's own way

    key: str = Field(primary_key=True)
    locale: str = Field(default="", primary_key=True)
    subject: str = Field(sa_type=Text)
    text: str = Field(sa_type=Text)
    html: str | None = Field(default=None, sa_type=Text)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    seed: str | None = None
    """The digest of what was seeded: while it is the content's, no person has changed it."""


class BatchRow(SQLModel, table=True):
    """How far a batch has come: `position` of its `total` recipients have an event of their own."""

    __tablename__ = "batches"  # pyright: ignore[reportAssignmentType] - SQLModel's own way

    event_id: str = Field(primary_key=True)
    position: int
    total: int
    updated_at: datetime = Field(sa_type=UtcDateTime)
