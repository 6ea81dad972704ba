"""One consumer of one queue: fetches, runs, settles, and keeps its leases.

A delivery is in hand from its fetch until Redis has heard how it was settled; its lease is renewed
all the while. What runs is decided by `Handling`, what is committed by the ledger; here it is only
decided who runs when.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.queue.arrivals import Arrivals
from shared.queue.breaker import Breaker
from shared.queue.declaration import Queue
from shared.queue.hand import Hand
from shared.queue.handling import Handling
from shared.queue.keys import GROUP, QueueKeys
from shared.queue.ledger import Delivery, Ledger, Verdict
from shared.queue.lookout import Lookout
from shared.queue.policy import Backoff, RetryPolicy
from shared.queue.prefetch import Prefetch
from shared.queue.scripts import Call, Listen, Scripts
from shared.queue.tasks import end_all, uncancel

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.02
"""How long a half-full reserve may put off the next round trip."""
UNSETTLED = timedelta(seconds=30)
IDLE_SECONDS = 1.0
"""The longest that the loop waits for anything, so that its beat is a sign of life."""
UNHEARD_SECONDS = 0.25
"""The longest wait at Redis for the next event while something is in hand: Redis hears of it afterwards."""


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How a consumer works. Times are what they say; `name` is unique among all consumers."""

    name: str
    concurrency: int = 5
    lease: timedelta = timedelta(seconds=6)
    """How long a consumer may be silent before its deliveries are taken over."""
    grace: timedelta = timedelta(seconds=15)
    """How long running handlers have to finish when the consumer stops."""
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    gone: timedelta = timedelta(hours=1)
    """After this long without a sign, and with nothing in hand, another consumer's name is forgotten."""


class Observer(Protocol):
    """Is told of each settled delivery: for logs and metrics."""

    def settled(self, delivery: Delivery, verdict: Verdict, seconds: float) -> None: ...


class Consumer:
    """Reads until it is stopped. No error of Redis or the ledger ends it, and none makes it spin."""

    def __init__(
        self,
        queue: Queue,
        *,
        client: Redis,
        ledger: Ledger,
        process: Callable[[Delivery], Awaitable[None]],
        options: ConsumerOptions,
        observer: Observer | None = None,
    ) -> None:
        """`process` hands a delivery to its handler."""
        self.breaker = Breaker(ledger)
        self.redis_trouble: str | None = None
        """What is wrong with Redis, for a person; None while it answers."""
        self.state = "starting"
        """`open`, `closed` (waiting for a gateway to open the queue) or `starting`."""
        self._queue = queue.name
        self._keys = QueueKeys(queue.name)
        self._scripts = Scripts(client)
        self._handling = Handling(process, ledger, self.breaker, queue, is_ending=lambda: self._stopping)
        self._arrivals = Arrivals(queue, worker=options.name, policy=options.policy)
        self._options = options
        self._observer = observer
        self._hand = Hand(self._keys, options.name)
        self._prefetch = Prefetch(options.concurrency)
        self._todo: asyncio.Queue[Delivery] = asyncio.Queue()
        self._lookout = Lookout(min(options.lease.total_seconds() / 6, IDLE_SECONDS))
        self._changed = asyncio.Event()
        self._last_ids: Sequence[bytes] = ()  # the ends of the lanes, where nothing waits in them
        self._wait_seconds = IDLE_SECONDS  # until a retry is due
        self._listening = False
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self.died = asyncio.Event()
        """Set when a loop ended by an error, which is a bug: the consumer does its work no more."""
        self._beat = time.monotonic()

    @property
    def silent_for(self) -> float:
        """Seconds since the loop last came round; it does so about every second unless it hangs."""
        return time.monotonic() - self._beat

    @property
    def in_hand(self) -> int:
        return len(self._hand)

    def start(self) -> None:
        """Begins to consume. Redis need not be there yet."""
        loops = [
            self._read(),
            self._renew(),
            *(self._work() for _ in range(self._options.concurrency)),
        ]
        self._tasks = [asyncio.create_task(loop, name=f"{self._queue} {loop.__name__}") for loop in loops]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    @property
    def alive(self) -> bool:
        """Whether all of its loops run."""
        return bool(self._tasks) and not self.died.is_set()

    async def stop(self) -> None:
        """Stops fetching, lets running handlers finish within the grace period, hands back the rest."""
        if self._stopping or not self._tasks:
            return
        self._stopping = True
        self._changed.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.grace.total_seconds()):
                await self._finish()
        await end_all(self._tasks)
        await self._hand_back()

    async def _finish(self) -> None:
        reader = self._tasks[0]
        if self._listening:  # the server drops the fetch behind the wait with the connection
            await end_all([reader])
        else:
            await asyncio.wait([reader])
        while not self._todo.empty():
            self._todo.get_nowait()
            self._hand.put_down()
        while self._hand.unsettled:
            self._changed.clear()
            await self._changed.wait()

    # The read loop

    async def _read(self) -> None:
        backoff = Backoff()
        while not self._stopping:
            self._beat = time.monotonic()
            try:
                await self._turn()
                if self.redis_trouble:
                    log.info("redis_recovered", extra={"queue": self._queue})
                self.redis_trouble = None
                backoff.reset()
            except (RedisError, OSError) as error:
                if not self.redis_trouble:
                    log.warning("redis_in_trouble", extra={"queue": self._queue, "error": repr(error)})
                self.redis_trouble = f"{type(error).__name__}: {error}"[:200]
                await asyncio.sleep(backoff.next())

    async def _turn(self) -> None:
        """Settles what is done and fetches what fits, in one round trip.

        Where the lanes were empty, the fetch stands behind a wait for the next event: it runs at the
        server as soon as there is one, without another round trip.
        """
        self._changed.clear()
        room = self._room()
        settlements = self._hand.settlements()
        calls: list[Call | Listen] = [call for call, _ in settlements]
        fetches = room > 0 or self._is_to_look_again()
        if fetches:
            if self._last_ids:
                calls.append(self._listen())
            calls.append(self._fetch_call(room))
        self._listening = fetches and bool(self._last_ids)
        try:
            replies = await self._scripts.call_all(calls)
        finally:
            self._listening = False
        self._forget(settlements, replies)
        if not fetches:
            _raise_first(replies)
            if not self._room():
                await self._wait_for_room()
            return
        fetched = replies.pop()
        _raise_first([fetched])
        state, wait_ms, self._last_ids, entries, now_ms = fetched
        self._wait_seconds = wait_ms / 1000
        self._take(entries, datetime.fromtimestamp(now_ms / 1000, UTC))
        _raise_first(replies)
        self.state = "closed" if state == b"closed" else "open"
        self._lookout.yielding = state == b"stalled"
        if self.state == "closed":
            await self._wait(random.uniform(0.2, 0.4))
        else:
            await asyncio.sleep(0)  # what was fetched starts before the next round trip is made ready

    def _listen(self) -> Listen:
        longest = UNHEARD_SECONDS if self._hand else IDLE_SECONDS
        return Listen(self._keys.lanes, self._last_ids, min(self._wait_seconds, longest))

    async def _wait_for_room(self) -> None:
        """Until enough is settled to be worth a round trip, or for a moment if it is only the reserve."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS if self._has_plenty() else self._lookout.seconds):
                await self._changed.wait()
                while self._has_plenty():
                    self._changed.clear()
                    await self._changed.wait()

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _room(self) -> int:
        """How many deliveries to fetch now: none beside a suspect, none while the ledger is in trouble."""
        if (
            self._stopping
            or self._hand.holds_suspect
            or self.breaker.trouble
            or (self._lookout.yielding and self._hand)
        ):
            return 0
        return self._prefetch.room(self._hand.unsettled)

    def _has_plenty(self) -> bool:
        return self._prefetch.suffices(self._hand.unsettled)

    def _is_to_look_again(self) -> bool:
        """Whether a suspect for which this consumer empties its hands may have found another taker."""
        waits = self._lookout.yielding and not self._hand.holds_suspect
        return waits and self._lookout.is_due and not self._stopping

    def _fetch_call(self, room: int) -> Call:
        look = self._lookout.order(empty_handed=not self._hand)
        low, normal = self._prefetch.shares(room)
        lease_ms = int(self._options.lease.total_seconds() * 1000)
        keys = (self._keys.control, self._keys.retries, self._keys.retry_bodies, *self._keys.lanes)
        return Call("fetch", keys, (GROUP, self._options.name, room, lease_ms, look, low, normal))

    def _take(self, entries: Sequence[tuple[int, bytes, list[bytes], int]], now: datetime) -> None:
        for lane, entry_id, fields, deliveries in entries:
            delivery = self._arrivals.read(lane, entry_id.decode(), fields, deliveries, now)
            if self._hand.take(delivery):
                self._todo.put_nowait(delivery)

    # Running and settling

    async def _work(self) -> None:
        while True:
            delivery = await self._todo.get()
            began = time.monotonic()
            try:
                verdict = await self._handling.handle(delivery)
            except (Exception, asyncio.CancelledError) as error:
                if self._stopping and isinstance(error, asyncio.CancelledError):
                    self._hand.put_down()  # this loop ends, and nobody waits for what it held
                    self._changed.set()
                    raise
                # The ledger could not say what became of it, and is well itself: a bug of ours, or a late
                # cancellation that the handler left behind. The event is neither lost nor in anybody's way;
                # it comes again, uncounted, until that is mended.
                uncancel()
                log.critical("cannot_settle", extra={"event_id": delivery.event_id}, exc_info=True)
                verdict = Verdict("failed", UNSETTLED, "cannot_settle")
            seconds = time.monotonic() - began
            self._prefetch.ran(seconds)
            self._hand.settle(delivery, verdict)
            if not self._has_plenty():
                self._changed.set()
            if self._observer:
                self._observer.settled(delivery, verdict, seconds)

    def _forget(self, settlements: Sequence[tuple[Call, Sequence[Delivery]]], replies: Sequence[Any]) -> None:
        """What Redis has answered to is out of hand. Replies beyond the settlements are of other calls."""
        for (_, settled), reply in zip(settlements, replies, strict=False):
            if not isinstance(reply, Exception):
                self._hand.forget(settled)
                if any(delivery.suspect for delivery in settled):
                    self._lookout.look_soon()

    # Leases

    async def _renew(self) -> None:
        backoff = Backoff()
        once = self._tidyings()
        while True:
            await asyncio.sleep(self._options.lease.total_seconds() / 3)
            try:
                _raise_first(await self._scripts.call_all(self._hand.renewals() + once))
                once = []
                backoff.reset()
            except (RedisError, OSError):
                await asyncio.sleep(min(backoff.next(), self._options.lease.total_seconds() / 3))

    def _tidyings(self) -> list[Call]:
        """Forget the names of consumers that are long gone."""
        gone_ms = int(self._options.gone.total_seconds() * 1000)
        return [Call("tidy", (lane,), (GROUP, gone_ms)) for lane in self._keys.lanes]

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Before it stops, a loop ends only by a bug, were it a cancellation that nobody asked for."""
        error = None if task.cancelled() else task.exception()
        if error or not self._stopping:
            log.critical("consumer_loop_died", extra={"task": task.get_name()}, exc_info=error)
            self.died.set()

    async def _hand_back(self) -> None:
        """Settles what is done, hands back the rest as it came. What Redis does not hear, the lease ends."""
        try:
            settlements = self._hand.settlements()
            replies = await self._scripts.call_all([call for call, _ in settlements])
            self._forget(settlements, replies)
            hand_backs = self._hand.hand_backs(self._options.lease * 10)
            _raise_first(replies + await self._scripts.call_all(hand_backs))
        except (RedisError, OSError) as error:
            log.warning("hand_back_failed", extra={"queue": self._queue, "error": repr(error)})


def _raise_first(replies: Sequence[Any]) -> None:
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
