"""The reliable queue: FastStream on Redis Streams, with retries, leases and a memory of what ended.

To read it, begin with `declaration` and `outcomes` (what a service says), then `ledger` and `handling` (what
becomes of one delivery), `hand` and `consumer` (many at once), `lua/fetch.lua`; `broker` last.
"""

from shared.queue.broker import QueueBroker
from shared.queue.consumer import Consumer, ConsumerOptions, Observer
from shared.queue.declaration import Queue
from shared.queue.ledger import REPEATED, AlreadyEndedError, Delivery, Ledger, Verdict
from shared.queue.memory import MemoryLedger
from shared.queue.outcomes import ExpiredError, GiveUpError, PostponeError, RetryLaterError
from shared.queue.policy import RetryPolicy
from shared.queue.sender import RedisSender

__all__ = [
    "REPEATED",
    "AlreadyEndedError",
    "Consumer",
    "ConsumerOptions",
    "Delivery",
    "ExpiredError",
    "GiveUpError",
    "Ledger",
    "MemoryLedger",
    "Observer",
    "PostponeError",
    "Queue",
    "QueueBroker",
    "RedisSender",
    "RetryLaterError",
    "RetryPolicy",
    "Verdict",
]
