"""What is sent is handled: all of it, by priority, and then it is gone."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from shared.events import OrderCancelled, OrderShipped, Priority
from shared.queue import AlreadyEndedError, Delivery, MemoryLedger, Queue, Verdict
from support import eventually
from support.queueing import HIGH, LOW, NORMAL, ORDERS, Station, order, wrap


class Handled:
    """Remembers the orders in the order of their handling."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.orders: list[str] = []
        self.queue = Queue("orders")
        self.queue.on(OrderShipped)(self.handle)
        self._seconds = seconds

    async def handle(self, event: OrderShipped) -> None:
        self.orders.append(event.order_id)
        await asyncio.sleep(self._seconds)


async def test_what_was_sent_before_the_first_consumer_is_delivered(station: Station) -> None:
    handled = Handled()
    await station.send(*(order(f"o{number}") for number in range(5)))

    await station.serve(handled.queue)

    await eventually(lambda: len(handled.orders) == 5)


async def test_what_is_sent_to_a_waiting_consumer_is_delivered_at_once(station: Station) -> None:
    handled = Handled()
    await station.send(order("first"))
    await station.serve(handled.queue)
    await eventually(lambda: handled.orders == ["first"])

    for lane in (Priority.HIGH, Priority.NORMAL, Priority.LOW):
        seconds: list[float] = []
        for number in range(3):
            await asyncio.sleep(0.3)  # it listens now, for a second in which nothing else would wake it
            name, sent = f"{lane}-{number}", time.monotonic()
            await station.send(order(name, priority=lane))
            await eventually(lambda name=name: name in handled.orders)
            seconds.append(time.monotonic() - sent)
        assert min(seconds) < 0.5


async def test_nothing_is_left_of_what_was_handled(station: Station) -> None:
    handled = Handled()
    await station.serve(handled.queue)

    for lane in (Priority.HIGH, Priority.NORMAL, Priority.LOW):
        await station.send(*(order(f"{lane}-{number}", priority=lane) for number in range(50)))

    await eventually(station.is_drained)
    assert len(handled.orders) == 150
    for lane in (HIGH, NORMAL, LOW):
        group = await station.group(lane)
        assert (group["pending"], group["lag"], group["entries-read"]) == (0, 0, 50)


async def test_the_lag_counts_what_waits_while_some_is_handled(station: Station) -> None:
    release = asyncio.Event()
    queue = Queue("orders")

    @queue.on(OrderShipped)
    async def stay(event: OrderShipped) -> None:
        await release.wait()

    await station.send(*(order(f"o{number}") for number in range(10)))
    serving = await station.serve(queue, concurrency=2)
    await eventually(lambda: serving.consumer.in_hand)

    await asyncio.sleep(0.2)
    group = await station.group()
    assert (group["pending"], group["lag"]) == (2, 8)
    release.set()


async def test_no_more_is_fetched_than_can_be_started_soon(station: Station) -> None:
    release = asyncio.Event()
    queue = Queue("orders")

    @queue.on(OrderShipped)
    async def stay(event: OrderShipped) -> None:
        await release.wait()

    await station.send(*(order(f"o{number}") for number in range(200)))
    serving = await station.serve(queue, concurrency=5)
    await eventually(lambda: serving.consumer.in_hand >= 5)
    await asyncio.sleep(0.3)

    assert await station.pending() <= 10
    release.set()


async def test_the_high_lane_goes_first(station: Station) -> None:
    handled = Handled()
    await station.send(*(order(f"low-{number}", priority=Priority.LOW) for number in range(20)))
    await station.send(*(order(f"normal-{number}") for number in range(20)))
    await station.send(*(order(f"high-{number}", priority=Priority.HIGH) for number in range(20)))

    await station.serve(handled.queue, concurrency=1)

    await eventually(lambda: len(handled.orders) == 60)
    first = handled.orders[:24]
    assert sum(name.startswith("high") for name in first) >= 18


@pytest.mark.parametrize("concurrency", [1, 5])
@pytest.mark.parametrize("lane", [Priority.NORMAL, Priority.LOW])
async def test_a_busy_high_lane_starves_no_other(station: Station, concurrency: int, lane: Priority) -> None:
    handled = Handled(seconds=0.001)
    await station.send(*(order(f"high-{number}", priority=Priority.HIGH) for number in range(400)))
    await station.send(*(order(f"other-{number}", priority=lane) for number in range(5)))

    await station.serve(handled.queue, concurrency=concurrency)

    await eventually(lambda: sum(name.startswith("other") for name in handled.orders) == 5)
    assert len(handled.orders) < 250


async def test_two_busy_lanes_above_do_not_starve_the_low_one(station: Station) -> None:
    handled = Handled(seconds=0.001)
    await station.send(*(order(f"high-{number}", priority=Priority.HIGH) for number in range(300)))
    await station.send(*(order(f"normal-{number}") for number in range(300)))
    await station.send(*(order(f"low-{number}", priority=Priority.LOW) for number in range(5)))

    await station.serve(handled.queue, concurrency=1)

    await eventually(lambda: sum(name.startswith("low") for name in handled.orders) == 5)
    assert len(handled.orders) < 200


async def test_each_type_goes_to_its_own_handler(station: Station) -> None:
    seen: list[str] = []
    queue = Queue("orders")

    @queue.on(OrderShipped)
    async def on_shipped(event: OrderShipped) -> None:
        seen.append(f"shipped {event.order_id}")

    @queue.on(OrderCancelled)
    async def on_cancelled(event: OrderCancelled) -> None:
        seen.append(f"cancelled {event.order_id}")

    await station.serve(queue)
    await station.send(order("a"), wrap(OrderCancelled(order_id="b", reason="changed my mind")))

    await eventually(lambda: sorted(seen) == ["cancelled b", "shipped a"])


async def test_a_repeated_event_is_handled_once(station: Station) -> None:
    handled, ledger = Handled(), MemoryLedger()
    once = order("o", id="same")
    await station.serve(handled.queue, ledger=ledger, concurrency=1)

    await station.send(once, once)
    await eventually(station.is_drained)
    await station.send(once)
    await eventually(station.is_drained)

    assert handled.orders == ["o"]


async def test_who_observes_hears_what_the_ledger_made_of_a_run_that_had_ended(station: Station) -> None:
    class Contradicted(MemoryLedger):
        @asynccontextmanager
        async def transaction(self, delivery: Delivery) -> AsyncGenerator[None]:
            raise AlreadyEndedError(Verdict("dead", reason="id_conflict"))
            yield

    worker = await station.serve(Handled().queue, ledger=Contradicted())
    await station.send(order("o"))

    await eventually(lambda: worker.journal.outcomes("o") == ["dead"])


async def test_another_run_of_an_event_is_handled_again(station: Station) -> None:
    handled, ledger = Handled(), MemoryLedger()
    await station.serve(handled.queue, ledger=ledger)

    await station.send(order("o", id="same"), order("o", id="same", run=1))

    await eventually(lambda: handled.orders == ["o", "o"])


async def test_consumers_share_a_queue(station: Station) -> None:
    handled, ledger = Handled(seconds=0.005), MemoryLedger()
    both = [await station.serve(handled.queue, ledger=ledger, concurrency=2) for _ in range(2)]
    await station.send(order("first"))
    await eventually(lambda: [serving.consumer.state for serving in both] == ["open", "open"])

    await station.send(*(order(f"o{number}") for number in range(100)))

    await eventually(station.is_drained)
    assert len(handled.orders) == 101
    assert all(len(serving.journal.verdicts) > 10 for serving in both)


async def test_an_idle_consumer_asks_about_once_a_second(station: Station) -> None:
    handled = Handled()
    await station.send(order("o"))
    await station.serve(handled.queue)
    await eventually(station.is_drained)

    before = await station.commands()
    await asyncio.sleep(2)

    # a fetch is a script of about fifteen commands; a wait and a renewal come beside it
    assert await station.commands() - before < 120


async def test_a_due_retry_of_another_consumer_is_taken(station: Station) -> None:
    handled = Handled()
    await station.send(order("o"))
    await station.client.zadd(ORDERS.retries, {"x:0": 1})
    (body,) = await station.bodies()
    await station.client.hset(ORDERS.retry_bodies, "x:0", b"2" + body)
    await station.client.delete(NORMAL)

    await station.serve(handled.queue)

    await eventually(lambda: handled.orders == ["o"])
    assert await station.client.hlen(ORDERS.retry_bodies) == 0
