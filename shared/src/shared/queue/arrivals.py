"""Fetched entries as deliveries: what they say, or why they say nothing."""

from datetime import datetime

from shared.queue.codec import DATA_FIELD, EntryFormat, UndecodableError, envelope_of
from shared.queue.declaration import Queue
from shared.queue.keys import LANES
from shared.queue.ledger import Delivery
from shared.queue.policy import RetryPolicy


class Arrivals:
    """Reads the entries of one queue for one worker. Every entry becomes a delivery: none is dropped."""

    def __init__(self, queue: Queue, *, worker: str, policy: RetryPolicy) -> None:
        self._queue = queue
        self._worker = worker
        self._policy = policy

    def read(self, lane: int, entry_id: str, fields: list[bytes], deliveries: int, now: datetime) -> Delivery:
        """`fields` are names and values in turn; `deliveries` those before this one; `now` is Redis' time."""
        if fields[0] == DATA_FIELD:
            raw = fields[1]
        else:  # somebody else's entry: whatever it is, it is kept
            raw = dict(zip(fields[::2], fields[1::2], strict=True)).get(DATA_FIELD, b"\n".join(fields))
        body, headers = EntryFormat.parse(raw)
        envelope, problem, limit = None, "", 0
        try:
            envelope = envelope_of(body, headers, LANES[lane - 1])
            limit = envelope.max_attempts or self._queue.attempts(envelope.type)
        except UndecodableError as error:
            problem = str(error)
        return Delivery(
            queue=self._queue.name,
            lane=lane,
            entry_id=entry_id,
            deliveries=deliveries,
            raw=raw,
            body=body,
            headers=headers,
            envelope=envelope,
            worker=self._worker,
            policy=self._policy,
            limit=limit,
            fetched_at=now,
            problem=problem,
        )
