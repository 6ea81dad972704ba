"""A consumer that stops in good order finishes what it started and hands back the rest."""

import asyncio
import time
from datetime import timedelta

import pytest

from shared.events import OrderShipped
from shared.queue import MemoryLedger, Queue
from support import RedisServer, eventually
from support.queueing import HIGH, LEASE, LOW, NORMAL, PATIENT, Link, Serving, Station, order

LONG = timedelta(seconds=30)
"""A lease that no test waits for."""


class Stay:
    """Handlers that stay until the door opens."""

    def __init__(self) -> None:
        self.door = asyncio.Event()
        self.starts: list[str] = []
        self.at_work: dict[str, asyncio.Task[object]] = {}
        self.queue = Queue("orders")
        self.queue.on(OrderShipped, time_limit=None)(self.handle)

    async def handle(self, event: OrderShipped) -> None:
        task = asyncio.current_task()
        assert task
        self.at_work[event.order_id] = task
        self.starts.append(event.order_id)
        await self.door.wait()


async def brisk(station: Station, stay: Stay, ledger: MemoryLedger) -> Serving:
    """A consumer that has learnt that its handlers are fast, and so fetches more than it can start."""
    stay.door.set()
    serving = await station.serve(stay.queue, ledger=ledger, concurrency=2, lease=LONG)
    await station.send(*(order(f"warm-{number}") for number in range(50)))
    await eventually(station.is_drained)
    stay.door.clear()
    stay.starts.clear()
    ledger.ended.clear()
    return serving


async def test_what_has_started_is_finished(station: Station) -> None:
    ledger, stay = MemoryLedger(), Stay()
    await station.send(order("a"), order("b"))
    serving = await station.serve(stay.queue, ledger=ledger)
    await eventually(lambda: len(stay.starts) == 2)

    stopping = asyncio.create_task(serving.broker.stop())
    await asyncio.sleep(0.05)
    await station.send(order("c"))
    await asyncio.sleep(0.2)
    assert not stopping.done()
    stay.door.set()
    await asyncio.wait_for(stopping, 8)

    assert list(ledger.ended.values()) == ["completed"] * 2
    assert stay.starts == ["a", "b"]
    assert (await station.length(), await station.pending()) == (1, 0)


async def test_what_was_fetched_unheard_in_the_moment_of_stopping_is_handed_back_at_once(
    station: Station,
) -> None:
    stay = Stay()
    stay.door.set()
    await station.send(order("first"))
    serving = await station.serve(stay.queue, lease=LONG)
    await eventually(station.is_drained)
    await asyncio.sleep(0.1)  # it listens now, and the fetch behind that is the server's to run

    await asyncio.gather(station.send(order("a"), order("b")), serving.broker.stop())

    other = Stay()
    other.door.set()
    await station.serve(other.queue, lease=LONG)
    await eventually(lambda: other.starts == ["a", "b"])
    assert stay.starts == ["first"]


async def test_a_handler_longer_than_the_lease_keeps_it_while_it_finishes(station: Station) -> None:
    ledger, stay = MemoryLedger(), Stay()
    await station.send(order("a"))
    serving = await station.serve(stay.queue, ledger=ledger, grace=timedelta(seconds=20))
    await eventually(lambda: stay.starts)
    other = await station.serve(stay.queue, ledger=ledger, lease=PATIENT)

    stopping = asyncio.create_task(serving.broker.stop())
    for _ in range(14):
        await asyncio.sleep(LEASE.total_seconds() / 2)
        assert other.consumer.in_hand == 0
    stay.door.set()
    await asyncio.wait_for(stopping, 8)

    assert stay.starts == ["a"]


async def test_what_was_not_started_is_handed_back_as_fresh(station: Station) -> None:
    ledger, stay = MemoryLedger(), Stay()
    serving = await brisk(station, stay, ledger)
    await station.send(*(order(f"o{number}") for number in range(4)))
    await eventually(lambda: len(stay.starts) == 2 and serving.consumer.in_hand >= 3)
    started = set(stay.starts)

    stopping = asyncio.create_task(serving.broker.stop())
    await eventually(lambda: not serving.waiting)
    stay.door.set()
    await stopping

    assert set(stay.starts) == started
    for entry in await station.held():
        assert entry["times_delivered"] == 0
    before = time.monotonic()
    taking = await station.serve(stay.queue, ledger=ledger, lease=LONG)
    await eventually(station.is_drained)
    assert time.monotonic() - before < LONG.total_seconds() / 2
    assert len(stay.starts) == 4
    assert taking.journal.outcomes("o3") == ["completed"]


async def test_what_was_handed_back_runs_beside_others(station: Station) -> None:
    ledger, stay = MemoryLedger(), Stay()
    serving = await brisk(station, stay, ledger)
    await station.send(*(order(f"o{number}") for number in range(4)))
    await eventually(lambda: len(stay.starts) == 2 and serving.consumer.in_hand == 4)
    stopping = asyncio.create_task(serving.broker.stop())
    await eventually(lambda: not serving.waiting)
    stay.door.set()
    await stopping
    stay.door.clear()
    stay.starts.clear()

    await station.serve(stay.queue, ledger=ledger, lease=LONG)

    await eventually(lambda: len(stay.starts) == 2)
    stay.door.set()


async def test_what_does_not_finish_in_time_is_handed_back_and_undone(station: Station) -> None:
    ledger, stay = MemoryLedger(), Stay()
    await station.send(order("a", max_attempts=1))
    serving = await station.serve(stay.queue, ledger=ledger, lease=LONG, grace=timedelta(seconds=0.2))
    await eventually(lambda: stay.starts)

    await asyncio.wait_for(serving.broker.stop(), 8)
    assert not ledger.ended
    stay.door.set()
    await station.serve(stay.queue, ledger=ledger, lease=LONG)

    await eventually(station.is_drained)
    assert list(ledger.ended.values()) == ["completed"]
    assert not ledger.failures


async def test_a_suspect_that_is_handed_back_is_still_a_suspect(station: Station) -> None:
    ledger, stay = MemoryLedger(), Stay()
    await station.send(order("suspect", max_attempts=1))
    crashing = await station.serve(stay.queue, ledger=ledger)
    await eventually(lambda: len(stay.starts) == 1)
    await crashing.crash()
    draining = await station.serve(stay.queue, ledger=ledger, grace=timedelta(seconds=0.1))
    await eventually(lambda: len(stay.starts) == 2)

    await draining.broker.stop()

    (entry,) = await station.held()
    assert entry["times_delivered"] == 1
    stay.door.set()
    await station.serve(stay.queue, ledger=ledger)
    await eventually(station.is_drained)


async def test_the_name_of_a_consumer_goes_with_it(station: Station) -> None:
    ledger, stay = MemoryLedger(), Stay()
    stay.door.set()
    serving = await station.serve(stay.queue, ledger=ledger)
    await station.send(order("o"))
    await eventually(station.is_drained)
    assert await station.consumers() == {serving.name}

    await serving.broker.stop()

    for lane in (HIGH, NORMAL, LOW):
        assert await station.consumers(lane) == set()


async def test_a_stop_while_redis_is_away_ends(station: Station, redis_server: RedisServer) -> None:
    ledger, stay = MemoryLedger(), Stay()
    await station.send(order("o"))
    serving = await station.serve(stay.queue, ledger=ledger)
    await eventually(lambda: stay.starts)
    redis_server.stop()
    stay.door.set()
    await eventually(lambda: ledger.ended)

    await asyncio.wait_for(serving.broker.stop(), 6)


async def test_a_stop_right_after_the_start_ends(station: Station) -> None:
    serving = await station.serve(Stay().queue)

    await asyncio.wait_for(serving.broker.stop(), 8)


async def test_a_stop_without_grace_ends_at_once(station: Station) -> None:
    stay = Stay()
    await station.send(order("o"))
    serving = await station.serve(stay.queue, grace=timedelta())
    await eventually(lambda: stay.starts)

    await asyncio.wait_for(serving.broker.stop(), 4)


@pytest.mark.parametrize("first", ["the stop", "the handler"])
async def test_a_stop_and_a_handler_that_are_cancelled_at_once_both_end(station: Station, first: str) -> None:
    """As `asyncio.run` does when the program ends: each once, in any order, and then it waits."""
    ledger, stay = MemoryLedger(), Stay()
    await station.send(order("o"))
    serving = await station.serve(stay.queue, ledger=ledger, grace=LONG)
    await eventually(lambda: stay.starts)
    stopping: asyncio.Task[object] = asyncio.create_task(serving.broker.stop())
    await asyncio.sleep(0.1)

    handling = stay.at_work["o"]
    both = [stopping, handling] if first == "the stop" else [handling, stopping]
    for task in both:
        task.cancel()

    _, left = await asyncio.wait(both, timeout=8)
    assert not left
    assert not ledger.failures


async def test_a_stop_does_not_wait_for_a_handler_that_others_cancelled(station: Station) -> None:
    stay = Stay()
    await station.send(order("o"))
    serving = await station.serve(stay.queue, grace=LONG, lease=LONG)
    await eventually(lambda: stay.starts)
    stopping = asyncio.create_task(serving.broker.stop())
    await asyncio.sleep(0.1)

    stay.at_work["o"].cancel()

    await asyncio.wait_for(stopping, 8)
    (entry,) = await station.held()
    assert entry["times_delivered"] == 0


async def test_a_stop_behind_a_held_link_ends(station: Station, redis_server: RedisServer) -> None:
    stay = Stay()
    async with Link(redis_server.port) as link:
        await station.send(order("o"))
        serving = await station.serve(stay.queue, url=link.url, grace=timedelta(seconds=0.5))
        await eventually(lambda: stay.starts)
        stay.door.set()
        link.hold()

        await asyncio.wait_for(serving.broker.stop(), 15)


async def test_the_grace_is_given_once_however_slowly_redis_answers(
    station: Station, redis_server: RedisServer
) -> None:
    """The reader waits for its reply all the time; the handler would need more than what is left."""
    finished, queue = list[str](), Queue("orders")

    @queue.on(OrderShipped, time_limit=None)
    async def work(event: OrderShipped) -> None:
        await asyncio.sleep(4.5)
        finished.append(event.order_id)

    async with Link(redis_server.port) as link:
        await station.send(order("o"))
        serving = await station.serve(queue, url=link.url, grace=timedelta(seconds=2.5), lease=LONG)
        await eventually(lambda: serving.consumer.in_hand)
        link.hold()
        await serving.broker.stop()

    assert not finished


@pytest.mark.parametrize("moment", range(8))
async def test_a_stop_in_the_middle_of_work_loses_nothing(station: Station, moment: int) -> None:
    ledger, queue, seen = MemoryLedger(), Queue("orders"), list[str]()

    @queue.on(OrderShipped)
    async def work(event: OrderShipped) -> None:
        await asyncio.sleep(0)
        seen.append(event.order_id)

    await station.send(*(order(f"o{number}") for number in range(200)))
    serving = await station.serve(queue, ledger=ledger, lease=LONG)
    await asyncio.sleep(0.01 * moment)
    await asyncio.wait_for(serving.broker.stop(), 8)

    await station.serve(queue, ledger=ledger, lease=LONG)

    await eventually(station.is_drained)
    assert sorted(seen) == sorted(f"o{number}" for number in range(200))
