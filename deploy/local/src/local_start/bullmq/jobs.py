"""A job as BullMQ 5 keeps it in Redis."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

DEFAULT_PREFIX: Final = "bull"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EVENT_ID_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-")
_EVENT_ID_LENGTH: Final = 64
_SCORE_STEPS: Final = 0x1000
"""A delayed job's score is its time in milliseconds times this, plus its place among those of that time."""


class State(StrEnum):
    """Where a job that has not begun is found, by the last part of the key."""

    WAIT = "wait"
    PAUSED = "paused"
    PRIORITIZED = "prioritized"
    DELAYED = "delayed"


class Elsewhere(StrEnum):
    """Where a job is found that is left alone: it runs, has run, or is not ready by itself."""

    ACTIVE = "active"
    FAILED = "failed"
    WAITING_CHILDREN = "waiting-children"
    SCHEDULERS = "repeat"


class Bond(StrEnum):
    """What ties a waiting job to BullMQ, so that it can't move alone."""

    FLOW = "it is a child in a flow, and its parent waits for it"
    SCHEDULE = "it is the next run of a job scheduler, which would stop without it"
    GONE = "its content is gone"
    UNREADABLE = "its name, time or priority can't be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job that has not begun. `priority` is 0 where it has none, else 1 is the most urgent."""

    queue: str
    id: str
    state: State
    name: str
    data: bytes
    """JSON, as the producer's `JSON.stringify` wrote it."""
    created: int
    """Milliseconds since 1970."""
    priority: int = 0
    due: datetime | None = None
    """When its delay ends; None where it has none, or it has ended."""
    bond: Bond | None = None

    def event_id(self, prefix: str = DEFAULT_PREFIX) -> str:
        """The same for the same job, whenever it is read; another one for every other job.

        The time is in it because BullMQ counts its ids anew after a queue was obliterated.
        """
        plain = f"bullmq:{self.queue}:{self.id}:{self.created}"
        if (
            prefix == DEFAULT_PREFIX
            and len(plain) <= _EVENT_ID_LENGTH
            and _EVENT_ID_CHARACTERS.issuperset(plain)
        ):
            return plain
        full = "\0".join((prefix, self.queue, self.id, str(self.created)))
        return f"bullmq:{sha256(full.encode()).hexdigest()[:48]}"


def due_of(score: float) -> datetime:
    """When the job with this score among the delayed is to run."""
    return _EPOCH + timedelta(milliseconds=int(score) // _SCORE_STEPS)
