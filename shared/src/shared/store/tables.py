"""The tables of delivery that every worker has, and the columns of an event that a relay sends."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import DateTime, Dialect, Index, LargeBinary, Text, false, text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from shared.events.envelope import Envelope, Priority


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC on every database; SQLite knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Outcome(StrEnum):
    """How a run of an event ended."""

    COMPLETED = "completed"
    DEAD = "dead"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Effort(StrEnum):
    """What became of a try that failed or was postponed, or that a suspect began alone."""

    STARTED = "started"  # alone, and not ended yet; if nobody ends it, the taker-over declares it lost
    FAILED = "failed"
    LOST = "lost"
    POSTPONED = "postponed"
    ENDED = "ended"  # a suspect's start whose run is over, completed or not: the inbox says how


class Sendable(SQLModel):
    """An event on its way to a queue: its envelope, and where a relay has sent it.

    A row is open until its next owner has committed it. It is due while `sent_epoch` differs from
    its queue's epoch; a wipe of Redis changes that epoch, and so makes every open row due again.
    """

    id: str = Field(primary_key=True, max_length=64)
    run: int = 0
    type: str
    queue: str
    source: str
    time: datetime = Field(sa_type=UtcDateTime)
    correlation_id: str
    data: str = Field(sa_type=Text)
    subject: str | None = None
    causation_id: str | None = None
    priority: str = Priority.NORMAL
    not_before: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    max_attempts: int | None = None
    traceparent: str | None = None
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    open: bool = True
    sent_epoch: str | None = None
    claimed_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Until when a sweep that is sending this row keeps others from doing the same."""

    def envelope(self) -> Envelope:
        kept: dict[str, Any] = {name: getattr(self, name) for name in Envelope._fields}
        kept["priority"] = Priority(self.priority)
        return Envelope(**kept)


def sendable_columns(envelope: Envelope, queue: str) -> dict[str, Any]:
    """The columns of a `Sendable` that hold this envelope, bound for this queue."""
    return envelope._asdict() | {"queue": queue, "priority": envelope.priority.value}


def sendable_indexes(table: str) -> tuple[Index]:
    """What keeps a sweep cheap: the open rows by queue and by the epoch they were sent in."""
    still_open = text("open")
    return (
        Index(
            f"ix_{table}_open", "queue", "sent_epoch", sqlite_where=still_open, postgresql_where=still_open
        ),
    )


class Outbox(Sendable, table=True):
    """An event that this service's work caused, until the gateway has it in its journal."""

    __table_args__ = sendable_indexes("outbox")


class Inbox(SQLModel, table=True):
    """How a run of an event ended here; written in the transaction of its effect."""

    __table_args__ = (
        Index(
            "ix_inbox_unreported",
            "ended_at",
            sqlite_where=text("unreported"),
            postgresql_where=text("unreported"),
        ),
    )

    event_id: str = Field(primary_key=True)
    run: int = Field(primary_key=True)
    type: str
    outcome: str
    digest: str
    """SHA-256 of type and data, shortened: the same id with another body is another event."""
    worker: str
    started_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime = Field(sa_type=UtcDateTime)
    reason: str | None = None
    error: str | None = Field(default=None, sa_type=Text)
    traceback: str | None = Field(default=None, sa_type=Text)
    raw: bytes | None = Field(default=None, sa_type=LargeBinary)
    """The entry's bytes as they came, where the run ended dead."""
    correlation_id: str | None = None
    uncertain: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """Whether an effect outside of the database may have happened unseen, or twice."""
    unreported: bool = True
    """Whether the gateway has still to be told."""


class Attempt(SQLModel, table=True):
    """A try that failed, was lost or postponed, or the start of one that is alone; keyed by its delivery."""

    __table_args__ = (
        Index(
            "ix_attempt_unreported",
            "ended_at",
            sqlite_where=text("unreported"),
            postgresql_where=text("unreported"),
        ),
    )

    event_id: str = Field(primary_key=True)
    run: int = Field(primary_key=True)
    delivery: str = Field(primary_key=True)
    """The stream entry and how often it had been delivered: a repeated insert is the same row."""
    effort: str
    worker: str
    started_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    retry_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reason: str | None = None
    error: str | None = Field(default=None, sa_type=Text)
    traceback: str | None = Field(default=None, sa_type=Text)
    unreported: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """Whether the gateway has still to be told; not before it has ended."""
