"""What a published event is, what became of it, and the rules about its times."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from shared.events import Envelope
from shared.service.problem import ProblemBody
from shared.service.strict_json import canonical

EARLIEST = timedelta(days=366)
LATEST = timedelta(days=5 * 366)


class Status(StrEnum):
    """What became of an event, as everyone reads it."""

    DELAYED = "delayed"
    WAITING = "waiting"
    ACTIVE = "active"
    RETRYING = "retrying"
    COMPLETED = "completed"
    DEAD = "dead"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


OPEN = frozenset({Status.DELAYED, Status.WAITING, Status.ACTIVE, Status.RETRYING})
"""The journal keeps these as `waiting` or `retrying`; time and Redis make the others of them."""


class Receipt(BaseModel):
    """An event is in the journal. `duplicate`: it was there before this request."""

    id: str
    type: str
    queue: str
    status: Status
    duplicate: bool


Result = Receipt | ProblemBody
"""What became of one event of a request."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A valid event on its way into the journal."""

    envelope: Envelope
    queue: str
    fingerprint: str
    """Of all that the client sent for it: the same id with another fingerprint is another event."""
    untimely: ProblemBody | None = None
    """Why it is too late to take it as a new one; if it was taken before, it is only a duplicate."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's name for one request; another client's keys are another space."""

    principal: str
    key: str


@dataclass(frozen=True, slots=True)
class Submission:
    """All that one request publishes. It is committed as a whole, together with its key."""

    parts: Sequence[Entry | ProblemBody]
    fingerprint: str
    key: IdempotencyKey | None = None


class KeyReusedError(Exception):
    """The key belongs to a request with another body."""


def fingerprint_of(value: Any) -> str:
    """The same for two JSON texts exactly if they say the same."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def status_of(status: str, not_before: datetime | None, now: datetime, *, active: bool = False) -> Status:
    """What everyone reads for a status that the journal keeps."""
    if status not in OPEN:
        return Status(status)
    if active:
        return Status.ACTIVE
    if status == Status.WAITING and not_before is not None and not_before > now:
        return Status.DELAYED
    return Status(status)


def is_timely(envelope: Envelope, now: datetime) -> bool:
    """Whether it may still be taken: it has not expired, and starts neither long ago nor in a far future."""
    due = envelope.not_before or now
    ends = envelope.expires_at
    return now - EARLIEST <= due <= now + LATEST and (ends is None or max(now, due) < ends <= now + LATEST)
