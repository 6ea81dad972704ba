"""The gateway's tables: the journal and what stands beside it."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, Text
from sqlmodel import Field, SQLModel

from shared.store.tables import Sendable, UtcDateTime, sendable_indexes, utc_now


class JournalRow(Sendable, table=True):
    """An event of any queue, and what became of its last run.

    `open` until the run has ended. A row that its outcome began is not `filled` until the event itself
    comes: then its data is empty and its correlation and time are guesses.
    """

    __tablename__ = "journal"  # pyright: ignore[reportAssignmentType] - SQLModel's own way
    __table_args__ = (
        *sendable_indexes("journal"),
        Index("ix_journal_time", "time", "id"),
        Index("ix_journal_status", "status", "time", "id"),
        Index("ix_journal_queue", "queue", "time", "id"),
        Index("ix_journal_type", "type", "time", "id"),
        Index("ix_journal_subject", "subject", "time", "id"),
        Index("ix_journal_correlation", "correlation_id", "time", "id"),
        Index("ix_journal_causation", "causation_id"),
    )

    status: str = "waiting"
    """`waiting` or `retrying` while it is open, then how it ended."""
    reason: str | None = None
    error: str | None = Field(default=None, sa_type=Text)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    attempts: int = 0
    """Tries of this run, without those that were postponed."""
    retry_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    uncertain: bool = False
    filled: bool = True
    fingerprint: str | None = None
    """Of what the client sent; an event that a worker caused has none."""


class JournalAttempt(SQLModel, table=True):
    """One try of a run, as its worker told it."""

    __tablename__ = "journal_attempt"  # pyright: ignore[reportAssignmentType] - SQLModel's own way

    event_id: str = Field(primary_key=True)
    run: int = Field(primary_key=True)
    started_at: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    """A try that ended its run and the last failed one are the same if they began at the same moment."""
    ended_at: datetime = Field(sa_type=UtcDateTime)
    effort: str
    """`failed`, `lost`, `postponed`, or how it ended its run."""
    worker: str
    reason: str | None = None
    error: str | None = Field(default=None, sa_type=Text)
    traceback: str | None = Field(default=None, sa_type=Text)
    retry_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class DeadLetter(SQLModel, table=True):
    """A run that ended dead, with the bytes that its worker could not make do with."""

    __tablename__ = "dead_letter"  # pyright: ignore[reportAssignmentType] - SQLModel's own way
    __table_args__ = (Index("ix_dead_letter_ended", "ended_at"),)

    event_id: str = Field(primary_key=True)
    run: int = Field(primary_key=True)
    type: str
    queue: str
    reason: str | None = None
    error: str | None = Field(default=None, sa_type=Text)
    traceback: str | None = Field(default=None, sa_type=Text)
    raw: bytes | None = Field(default=None, sa_type=LargeBinary)
    ended_at: datetime = Field(sa_type=UtcDateTime)


class UsedKey(SQLModel, table=True):
    """An Idempotency-Key, and what its request was answered."""

    __tablename__ = "idempotency_key"  # pyright: ignore[reportAssignmentType] - SQLModel's own way
    __table_args__ = (Index("ix_idempotency_key_created", "created_at"),)

    principal: str = Field(primary_key=True)
    key: str = Field(primary_key=True, max_length=255)
    fingerprint: str
    answer: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class ApiKey(SQLModel, table=True):
    """Who may do what. Of the key itself only its SHA-256 is kept."""

    __tablename__ = "api_key"  # pyright: ignore[reportAssignmentType] - SQLModel's own way

    hash: str = Field(primary_key=True, max_length=64)
    name: str = Field(index=True)
    scopes: str
    """Separated by spaces."""
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
