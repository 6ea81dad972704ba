"""What a worker tells the gateway: events that it caused, tries, outcomes. Both sides share these shapes."""

import base64
from datetime import datetime

from pydantic import Base64Bytes, BaseModel, ConfigDict

from shared.store.tables import Attempt, Inbox, Outbox

HANDOVER_PATH = "/internal/v1/handover"


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EventReport(_Report):
    """An event that this worker caused, for the journal."""

    id: str
    run: int
    type: str
    queue: str
    source: str
    time: datetime
    correlation_id: str
    data: str
    subject: str | None
    causation_id: str | None
    priority: str
    not_before: datetime | None
    expires_at: datetime | None
    max_attempts: int | None
    sent_epoch: str | None
    """The epoch that it was sent in: in another one the journal sends it again."""
    traceparent: str | None = None


class OutcomeReport(_Report):
    """How a run ended. For an event that the journal does not know, it begins the row, ended."""

    event_id: str
    run: int
    type: str
    queue: str
    outcome: str
    reason: str | None
    error: str | None
    traceback: str | None
    worker: str
    started_at: datetime
    ended_at: datetime
    correlation_id: str | None
    raw: Base64Bytes | None
    """The bytes of a dead letter, as they came."""
    uncertain: bool = False
    """Whether an effect outside of the database may have happened unseen, or twice."""


class AttemptReport(_Report):
    """A try that did not end its run: failed, lost or postponed."""

    event_id: str
    run: int
    delivery: str
    effort: str
    reason: str | None
    error: str | None
    traceback: str | None
    worker: str
    started_at: datetime
    ended_at: datetime
    retry_at: datetime | None


class HandOverBatch(_Report):
    """One request of the hand-over."""

    events: tuple[EventReport, ...] = ()
    attempts: tuple[AttemptReport, ...] = ()
    outcomes: tuple[OutcomeReport, ...] = ()


def report_event(row: Outbox) -> EventReport:
    return EventReport.model_validate(row, from_attributes=True, extra="ignore")


def report_attempt(row: Attempt) -> AttemptReport:
    return AttemptReport.model_validate(row, from_attributes=True, extra="ignore")


def report_outcome(row: Inbox, queue: str) -> OutcomeReport:
    fields = {name: getattr(row, name) for name in OutcomeReport.model_fields if name not in {"queue", "raw"}}
    raw = base64.b64encode(row.raw) if row.raw is not None else None
    return OutcomeReport.model_validate({**fields, "queue": queue, "raw": raw})
