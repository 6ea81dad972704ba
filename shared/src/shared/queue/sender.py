"""Redis as a relay sees it: adds events to open queues, and opens closed ones if it may."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from redis.asyncio import Redis

from shared.events.envelope import Envelope
from shared.queue.clock import ServerClock
from shared.queue.codec import encode
from shared.queue.keys import QueueKeys, lane_number
from shared.queue.scripts import ScriptsByQueue


class RedisSender:
    """Implements the relay's port `Sender`.

    A queue without an epoch in this life of the server is closed: it was wiped, or the server was
    restarted. Only a sender that may open it (the gateway's) gives it a new epoch, a random token
    that no row was ever marked with.
    """

    def __init__(self, client: Redis, *, opens: bool) -> None:
        self._scripts = ScriptsByQueue(client)
        self._opens = opens
        self.clock = ServerClock()
        """The time of Redis, corrected with each look at an epoch."""

    async def send(self, queue: str, envelopes: Sequence[Envelope]) -> str | None:
        keys = QueueKeys(queue)
        args: list[str | bytes | int] = [self._token()]
        for envelope in envelopes:
            args += (lane_number(envelope.priority), encode(envelope))
        reply = await self._scripts[queue].call("send", (keys.control, *keys.lanes), *args)
        return reply.decode() if reply else None

    async def epoch(self, queue: str) -> str | None:
        scripts, keys = self._scripts[queue], (QueueKeys(queue).control,)
        epoch, now_ms = await scripts.call("epoch", keys)
        self.clock.observe(datetime.fromtimestamp(now_ms / 1000, UTC))
        if not epoch and self._opens:
            epoch = await scripts.call("open", keys, self._token())
        return epoch.decode() or None

    def _token(self) -> str:
        return uuid4().hex if self._opens else ""
