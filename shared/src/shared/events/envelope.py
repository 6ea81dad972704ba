"""The attributes of an event, in the words of CloudEvents 1.0, around the JSON of its data."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Priority(StrEnum):
    """Which lane of its queue an event waits in."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Envelope(NamedTuple):
    """One event as it travels: what it is, where it belongs, and its data as JSON text.

    Times are aware and in UTC. `run` counts deliberate new executions of an event that has ended,
    from 0. `max_attempts` of None leaves the limit to the contract. `source` is `unknown` where an event
    was read from a queue: only the journal keeps it.
    """

    id: str
    type: str
    source: str
    time: datetime
    correlation_id: str
    data: str
    subject: str | None = None
    causation_id: str | None = None
    priority: Priority = Priority.NORMAL
    not_before: datetime | None = None
    expires_at: datetime | None = None
    max_attempts: int | None = None
    run: int = 0
    traceparent: str | None = None
    """The trace that it belongs to, and the span that caused it (W3C Trace Context)."""
