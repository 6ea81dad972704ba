"""Queues on a real server, as the tests of delivery use them."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from redis.asyncio import Redis

from shared.events import Envelope, Event, OrderShipped, new_id
from shared.queue import (
    Consumer,
    ConsumerOptions,
    Delivery,
    Ledger,
    MemoryLedger,
    Queue,
    QueueBroker,
    RedisSender,
    RetryPolicy,
    Verdict,
)
from shared.queue.codec import DATA_FIELD
from shared.queue.connection import connect
from shared.queue.keys import GROUP, QueueKeys

LEASE = timedelta(seconds=0.6)
PATIENT = timedelta(seconds=2)
"""The lease of a consumer that takes nothing over because somebody else stood still for a moment."""
SOON = RetryPolicy(base=timedelta(milliseconds=20), cap=timedelta(milliseconds=100))
"""Retries that a test need not wait for."""
ORDERS = QueueKeys("orders")
HIGH, NORMAL, LOW = ORDERS.lanes

_LEFT = """
local left = redis.call('ZCARD', KEYS[4])
for lane = 1, 3 do left = left + redis.call('XLEN', KEYS[lane]) end
return left
"""

_numbers = itertools.count(1)


def shipped(order_id: str) -> OrderShipped:
    return OrderShipped(order_id=order_id, carrier="dhl", tracking_number="42")


def wrap(event: Event, *, id: str | None = None, **attributes: Any) -> Envelope:  # noqa: A002 the envelope's word
    """The event in an envelope whose other attributes are of no interest."""
    given: dict[str, Any] = {
        "id": id or new_id(),
        "type": event.type,
        "source": "test",
        "time": datetime.now(UTC),
        "correlation_id": event.correlation() or "story",
        "data": event.to_json(),
    }
    return Envelope(**(given | attributes))


def order(order_id: str, **attributes: Any) -> Envelope:
    """The order's shipment: the event that most tests send."""
    return wrap(shipped(order_id), **attributes)


@dataclass(slots=True)
class Journal:
    """Remembers how deliveries were settled."""

    verdicts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """The order, or where bytes are no event their place, and the outcome."""

    def settled(self, delivery: Delivery, verdict: Verdict, seconds: float) -> None:
        envelope = delivery.envelope
        self.verdicts.append((envelope.correlation_id if envelope else delivery.place, verdict.outcome))

    def outcomes(self, name: str) -> list[str]:
        return [outcome for known, outcome in self.verdicts if known == name]


@dataclass(slots=True)
class Serving:
    """A consumer that runs, and what it stands on."""

    broker: QueueBroker
    consumer: Consumer
    journal: Journal
    name: str

    @property
    def waiting(self) -> int:
        """How many entries it has fetched whose handlers were not started, and will be."""
        return self.consumer._todo.qsize()  # pyright: ignore[reportPrivateUsage] nothing else tells it

    async def crash(self) -> None:
        """Ends all of its loops and handlers at once: it tells Redis nothing more."""
        self.consumer._stopping = True  # pyright: ignore[reportPrivateUsage] what is cancelled now is no handler's doing
        tasks = self.consumer._tasks  # pyright: ignore[reportPrivateUsage] a crash asks nobody
        while left := [task for task in tasks if not task.done()]:
            for task in left:  # again, because before Python 3.12 a cancellation can be lost on its way
                task.cancel()
            await asyncio.wait(left, timeout=0.05)
        tasks.clear()
        await self.broker.stop()


class Station:
    """One queue server seen from a test: sends to it, serves queues on it, looks into it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client: Redis = connect(url)
        self.sender = RedisSender(self.client, opens=True)
        self._serving: list[Serving] = []

    async def send(self, *envelopes: Envelope, queue: str = "orders") -> str:
        """Opens the queue if it is closed. Returns its epoch."""
        epoch = await self.sender.send(queue, envelopes)
        assert epoch is not None
        return epoch

    async def serve(
        self,
        queue: Queue,
        *,
        ledger: Ledger | None = None,
        concurrency: int = 5,
        lease: timedelta = LEASE,
        grace: timedelta = timedelta(seconds=5),
        policy: RetryPolicy = SOON,
        gone: timedelta = timedelta(hours=1),
        url: str | None = None,
    ) -> Serving:
        broker = QueueBroker(url or self.url, logger=None)
        journal = Journal()
        name = f"consumer-{next(_numbers)}"
        options = ConsumerOptions(
            name, concurrency=concurrency, lease=lease, grace=grace, policy=policy, gone=gone
        )
        consumer = broker.serve(queue, ledger=ledger or MemoryLedger(), options=options, observer=journal)
        serving = Serving(broker, consumer, journal, name)
        self._serving.append(serving)
        await broker.start()
        return serving

    async def pending(self, lane: str = NORMAL) -> int:
        return int((await self.client.xpending(lane, GROUP))["pending"])

    async def length(self) -> int:
        """Entries in all lanes."""
        return sum([await self.client.xlen(lane) for lane in ORDERS.lanes])

    async def retrying(self) -> int:
        return await self.client.zcard(ORDERS.retries)

    async def is_drained(self) -> bool:
        """Whether nothing is left, looked at in one moment: what moves would else be seen nowhere."""
        return await self.client.eval(_LEFT, 4, *ORDERS.lanes, ORDERS.retries) == 0  # type: ignore[misc] redis-py: sync or async

    async def group(self, lane: str = NORMAL) -> dict[str, Any]:
        (group,) = await self.client.xinfo_groups(lane)
        return group

    async def bodies(self, lane: str = NORMAL) -> list[bytes]:
        """What the entries of a lane hold, in their order."""
        entries: Any = await self.client.xrange(lane)
        return [fields[DATA_FIELD] for _, fields in entries]

    async def held(self, lane: str = NORMAL) -> list[dict[str, Any]]:
        """The entries that somebody holds: `consumer`, `times_delivered`, `time_since_delivered` in ms."""
        found: Any = await self.client.xpending_range(lane, GROUP, min="-", max="+", count=100)
        return found

    async def lapse(self, owner: str, *entries: str, lane: str = NORMAL, idle: int = 10_000) -> None:
        """Lets the leases of these entries be `idle` ms old."""
        ids: list[Any] = list(entries)
        await self.client.xclaim(lane, GROUP, owner, 0, ids, idle=idle, justid=True)

    async def consumers(self, lane: str = NORMAL) -> set[str]:
        return {found["name"].decode() for found in await self.client.xinfo_consumers(lane, GROUP)}

    async def commands(self) -> int:
        """How many commands the server has run since it was started."""
        return int((await self.client.info("stats"))["total_commands_processed"])

    async def close(self) -> None:
        for serving in self._serving:
            await serving.broker.stop()
        await self.client.aclose()


@asynccontextmanager
async def station_at(url: str) -> AsyncGenerator[Station]:
    station = Station(url)
    try:
        yield station
    finally:
        await station.close()


class Link:
    """A way to a server that can be held: what is sent meanwhile arrives late, in both directions."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._flows: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for flow in self._flows:
            flow.cancel()
        if self._flows:
            await asyncio.wait(self._flows)
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += (writer, there_writer)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            flow = asyncio.create_task(self._flow(source, sink))
            self._flows.add(flow)
            flow.add_done_callback(self._flows.discard)

    async def _flow(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        sink.close()
