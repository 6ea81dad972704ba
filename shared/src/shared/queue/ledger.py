"""The queue's memory of what became of each event: a port, which a worker's database implements."""

import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol

from shared.events.envelope import Envelope
from shared.queue.outcomes import PostponeError
from shared.queue.policy import RetryPolicy


@dataclass
class Delivery:
    """One entry of a stream in one consumer's hands."""

    queue: str
    lane: int
    entry_id: str
    deliveries: int
    """How often it was delivered and started elsewhere before: above nought it is a suspect."""
    raw: bytes
    body: bytes
    headers: dict[str, str]
    """What `raw` holds, as FastStream calls it: read once, for the envelope and for the handler."""
    envelope: Envelope | None
    """None where the bytes are no event; `problem` then says why."""
    worker: str
    policy: RetryPolicy
    limit: int
    """Failed attempts after which its run is dead."""
    fetched_at: datetime
    """By the clock of Redis, as all times of a delivery; `started_at` is that of the present try."""
    problem: str = ""
    traceparent: str | None = None
    """Of its handling, once that has begun and is reported."""

    def __post_init__(self) -> None:
        self.started_at = self.fetched_at
        self._arrived = time.monotonic()

    def now(self) -> datetime:
        """The time of Redis: that at the fetch, and what has passed since. Replicas agree about it."""
        return self.fetched_at + timedelta(seconds=time.monotonic() - self._arrived)

    @property
    def event_id(self) -> str:
        """The event's id; for bytes that are no event, a name made from where they lay."""
        return self.envelope.id if self.envelope else self.place

    @property
    def place(self) -> str:
        """A name for what lies here, whatever it is: no two entries share it."""
        return f"{self.queue}:{self.lane}:{self.entry_id}"

    @property
    def digest(self) -> str:
        """SHA-256 of type and data, shortened: the same id with another body is another event."""
        envelope = self.envelope
        body = f"{envelope.type}\n{envelope.data}".encode() if envelope else self.raw
        return sha256(body).hexdigest()[:32]

    @property
    def run(self) -> int:
        return self.envelope.run if self.envelope else 0

    @property
    def entry_key(self) -> str:
        """The entry, whoever holds it."""
        return f"{self.lane}/{self.entry_id}/"

    @property
    def key(self) -> str:
        """This delivery of this entry: what a repeated insert is recognised by."""
        return f"{self.entry_key}{self.deliveries}"

    @property
    def suspect(self) -> bool:
        return self.deliveries > 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with an entry once the ledger has committed: acknowledge it, or try again later."""

    outcome: str
    """`completed`, `dead`, `cancelled`, `expired`, or `failed` and `postponed` where it is tried again,
    or `repeated` where the run had ended before."""
    retry_in: timedelta | None = None
    reason: str | None = field(default=None, compare=False)
    """Why it did not complete, as one short word; it changes nothing about what is done."""


REPEATED = Verdict("repeated")
"""The run ended before."""


class AlreadyEndedError(Exception):
    """This run ended before: there is nothing left to do but to acknowledge the entry."""

    def __init__(self, verdict: Verdict = REPEATED) -> None:
        """`verdict` is what became of the entry."""
        super().__init__(verdict.outcome)
        self.verdict = verdict


class Ledger(Protocol):
    """Whatever it answers is committed. It raises only for trouble of its own, which burns no attempt."""

    def transaction(self, delivery: Delivery) -> AbstractAsyncContextManager[None]:
        """The transaction of a run's effect and of its inbox row.

        Raises `AlreadyEndedError` instead of entering if the run has ended.
        """
        ...

    def steps(self, delivery: Delivery) -> AbstractAsyncContextManager[None]:
        """A run whose effect lies outside of the database: its handler makes the transactions.

        Nothing is open while it runs. The inbox row is in its last transaction; a handler that has made
        none gets one at the end. Raises `AlreadyEndedError`, instead of entering or later.
        """
        ...

    async def begin_alone(self, delivery: Delivery) -> Verdict | None:
        """Commits that a suspect starts. A verdict instead: it ended, or has used up its attempts."""
        ...

    async def fail(self, delivery: Delivery, error: Exception) -> Verdict:
        """Commits a failed attempt, and with the last one the death of the run."""
        ...

    async def postpone(self, delivery: Delivery, error: PostponeError) -> Verdict:
        """Commits that it was too early, and after too long the death of the run."""
        ...

    async def bury(self, delivery: Delivery, reason: str, error: Exception) -> Verdict:
        """Commits the death of the run at once, with its raw bytes."""
        ...

    async def expire(self, delivery: Delivery) -> Verdict:
        """Commits that the run ended because its time had passed."""
        ...

    async def ping(self) -> None:
        """Returns if it can commit."""
        ...

    def is_infrastructure(self, error: BaseException) -> bool:
        """Whether an error is the ledger's own trouble and not the event's."""
        ...
