"""A dead consumer's events are taken over; a living one's never."""

import asyncio
import time
from datetime import timedelta

import pytest

from shared.events import OrderShipped
from shared.queue import MemoryLedger, Queue
from shared.queue.keys import GROUP
from support import RedisServer, eventually
from support.queueing import LEASE, NORMAL, PATIENT, Link, Station, order


class Hall:
    """Handlers that stay until they are let go, and a note of who was inside together."""

    def __init__(self) -> None:
        self.starts: list[str] = []
        self.inside: set[str] = set()
        self.together: set[frozenset[str]] = set()
        self.doors: dict[str, asyncio.Event] = {}
        self.queue = Queue("orders")
        self.queue.on(OrderShipped)(self.handle)

    def door(self, order_id: str) -> asyncio.Event:
        return self.doors.setdefault(order_id, asyncio.Event())

    def let_go(self, *order_ids: str) -> None:
        for order_id in order_ids:
            self.door(order_id).set()

    async def handle(self, event: OrderShipped) -> None:
        self.starts.append(event.order_id)
        self.inside.add(event.order_id)
        self.together |= {frozenset({event.order_id, other}) for other in self.inside}
        try:
            await self.door(event.order_id).wait()
        finally:
            self.inside.discard(event.order_id)


async def test_the_events_of_a_crashed_consumer_are_taken_over(station: Station) -> None:
    ledger, hall = MemoryLedger(), Hall()
    await station.send(*(order(f"o{number}") for number in range(3)))
    crashing = await station.serve(hall.queue, ledger=ledger)
    await eventually(lambda: len(hall.inside) == 3)
    await crashing.crash()
    hall.let_go("o0", "o1", "o2")

    taking = await station.serve(hall.queue, ledger=ledger)

    await eventually(lambda: len(ledger.ended) == 3)
    await eventually(station.is_drained)
    assert taking.consumer.alive


async def test_a_full_hand_is_taken_over_within_a_few_leases(station: Station) -> None:
    ledger, hall = MemoryLedger(), Hall()
    names = [f"o{number}" for number in range(10)]
    await station.send(*map(order, names))
    crashing = await station.serve(hall.queue, ledger=ledger, concurrency=10)
    await eventually(lambda: len(hall.inside) == 10)
    await crashing.crash()
    hall.let_go(*names)
    crashed = time.monotonic()

    await station.serve(hall.queue, ledger=ledger)

    await eventually(station.is_drained, within=20)
    assert time.monotonic() - crashed < 5  # one after the other they would take a lease each


async def test_a_busy_consumer_survives_that_it_sees_an_ownerless_event(station: Station) -> None:
    ledger, hall = MemoryLedger(), Hall()
    await station.send(order("lost"))
    crashing = await station.serve(hall.queue, ledger=ledger)
    await eventually(lambda: hall.inside)
    await crashing.crash()
    await station.send(order("busy"))
    taking = await station.serve(hall.queue, ledger=ledger, lease=PATIENT)
    await eventually(lambda: "busy" in hall.inside)

    await asyncio.sleep(1.5 * PATIENT.total_seconds())
    hall.let_go("busy", "lost")

    await eventually(station.is_drained)
    assert taking.consumer.alive


async def test_a_suspect_runs_alone_while_its_neighbours_wait(station: Station) -> None:
    ledger, hall = MemoryLedger(), Hall()
    await station.send(order("suspect"))
    crashing = await station.serve(hall.queue, ledger=ledger)
    await eventually(lambda: hall.inside)
    await crashing.crash()
    await asyncio.sleep(LEASE.total_seconds())
    await station.serve(hall.queue, ledger=ledger)
    await eventually(lambda: "suspect" in hall.inside)

    neighbours = [f"o{number}" for number in range(20)]
    hall.let_go(*neighbours)
    await station.send(*map(order, neighbours))
    await asyncio.sleep(0.3)
    assert hall.inside == {"suspect"}
    hall.let_go("suspect")

    await eventually(station.is_drained)
    assert not any("suspect" in pair for pair in hall.together if len(pair) == 2)
    assert len(ledger.ended) == 21


async def test_two_suspects_run_one_after_the_other(station: Station) -> None:
    ledger, hall = MemoryLedger(), Hall()
    await station.send(order("a"), order("b"))
    crashing = await station.serve(hall.queue, ledger=ledger)
    await eventually(lambda: hall.inside == {"a", "b"})
    await crashing.crash()
    hall.starts.clear()
    hall.together.clear()
    await station.serve(hall.queue, ledger=ledger)

    await eventually(lambda: hall.starts)
    await asyncio.sleep(0.3)
    assert len(hall.starts) == 1
    hall.let_go("a", "b")

    await eventually(station.is_drained)
    assert frozenset({"a", "b"}) not in hall.together


async def test_a_consumer_goes_on_once_another_has_taken_the_suspect(station: Station) -> None:
    ledger, hall = MemoryLedger(), Hall()
    await station.send(order("suspect"))
    crashing = await station.serve(hall.queue, ledger=ledger)
    await eventually(lambda: hall.inside)
    await crashing.crash()
    await station.send(order("long"))
    await station.serve(hall.queue, ledger=ledger, lease=PATIENT)
    await eventually(lambda: "long" in hall.inside)
    await asyncio.sleep(1.5 * PATIENT.total_seconds())
    hall.let_go("suspect", "next")
    other = await station.serve(hall.queue, ledger=ledger, lease=PATIENT)
    await eventually(lambda: "suspect" in hall.starts[1:])
    await other.broker.stop()

    await station.send(order("next"))

    await eventually(lambda: "next" in hall.starts)
    assert "long" in hall.inside
    hall.let_go("long")


async def test_a_handler_of_ten_leases_is_never_taken_over(station: Station) -> None:
    ledger, hall = MemoryLedger(), Hall()
    lease = timedelta(seconds=0.3)
    await station.send(*(order(f"long{number}") for number in range(3)))
    owner = await station.serve(hall.queue, ledger=ledger, lease=lease)
    await eventually(lambda: len(hall.inside) == 3)
    other = await station.serve(hall.queue, ledger=ledger, lease=PATIENT)

    for _ in range(14):
        await asyncio.sleep(lease.total_seconds())
        assert other.consumer.in_hand == 0
    assert {(each["consumer"].decode(), each["times_delivered"]) for each in await station.held()} == {
        (owner.name, 1)
    }
    hall.let_go("long0", "long1", "long2")

    await eventually(station.is_drained)
    assert len(hall.starts) == 3


async def test_a_zombie_ends_nothing_twice(station: Station, redis_server: RedisServer) -> None:
    ledger, hall = MemoryLedger(), Hall()
    await station.send(order("o"))
    async with Link(redis_server.port) as link:
        zombie = await station.serve(hall.queue, ledger=ledger, url=link.url)
        await eventually(lambda: hall.inside)
        link.hold()
        taker = await station.serve(hall.queue, ledger=ledger)
        await eventually(lambda: taker.consumer.in_hand)
        link.release()
        await asyncio.sleep(LEASE.total_seconds())
        (held,) = await station.held()
        assert held["consumer"].decode() == taker.name
        hall.let_go("o")

        await eventually(station.is_drained)
        await eventually(lambda: taker.journal.verdicts)
        assert zombie.journal.outcomes("o") == ["completed"]
        assert taker.journal.outcomes("o") == ["repeated"]
        assert hall.starts == ["o"]
        await zombie.broker.stop()


@pytest.mark.parametrize("limit", [1, 2])
async def test_an_event_that_kills_its_consumer_is_started_once_more_than_its_limit(
    station: Station, limit: int
) -> None:
    ledger, hall = MemoryLedger(), Hall()
    lease = timedelta(seconds=0.3)
    await station.send(order("killer", max_attempts=limit))

    for start in range(1, limit + 2):
        crashing = await station.serve(hall.queue, ledger=ledger, lease=lease)
        await eventually(lambda start=start: len(hall.starts) == start)
        await crashing.crash()
    await station.serve(hall.queue, ledger=ledger, lease=lease)

    await eventually(station.is_drained)
    assert list(ledger.ended.values()) == ["dead"]
    assert len(hall.starts) == limit + 1


async def test_neighbours_of_a_killer_survive(station: Station) -> None:
    ledger, hall = MemoryLedger(), Hall()
    lease = timedelta(seconds=0.3)
    await station.send(
        order("a", max_attempts=1), order("killer", max_attempts=1), order("b", max_attempts=1)
    )
    hall.let_go("a2", "b2")

    crashing = await station.serve(hall.queue, ledger=ledger, lease=lease)
    await eventually(lambda: len(hall.inside) == 3)
    await crashing.crash()
    hall.let_go("a", "b")
    while len(ledger.ended) < 3:
        serving = await station.serve(hall.queue, ledger=ledger, lease=lease)
        await eventually(lambda: "killer" in hall.inside or len(ledger.ended) == 3)
        await serving.crash()

    ended = sorted(ledger.ended.values())
    assert ended == ["completed", "completed", "dead"]


async def test_the_names_of_dead_consumers_are_forgotten_by_one_that_starts(station: Station) -> None:
    await station.send(order("o"))
    await station.serve(Queue("orders"))
    await eventually(station.is_drained)
    await station.client.xgroup_createconsumer(NORMAL, GROUP, "gone")

    await station.serve(Queue("orders"), gone=timedelta())

    await eventually(lambda: _is_forgotten(station, "gone"))


async def _is_forgotten(station: Station, name: str) -> bool:
    return name not in await station.consumers()
