"""A handler ends its try, and nothing more."""

import asyncio
import sys
from collections.abc import Callable

import pytest

from shared.events import OrderShipped
from shared.queue import Delivery, MemoryLedger, Queue, Verdict
from support.queueing import Station, order
from support.waiting import eventually


def cancel_own_task() -> None:
    task = asyncio.current_task()
    assert task
    task.cancel()


def raise_cancelled() -> None:
    raise asyncio.CancelledError


def raise_group() -> None:
    raise BaseExceptionGroup("several", [asyncio.CancelledError(), ValueError()])


WAYS: dict[str, Callable[[], object]] = {
    "sys.exit": sys.exit,
    "cancelled": raise_cancelled,
    "cancels its task": cancel_own_task,
    "group": raise_group,
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_handler_that_exits_is_a_failed_attempt_and_harms_no_neighbour(
    station: Station, way: str
) -> None:
    ledger, queue, done = MemoryLedger(), Queue("orders"), set[str]()

    @queue.on(OrderShipped, attempts=2)
    async def handle(event: OrderShipped) -> None:
        if event.order_id == "bad":
            WAYS[way]()
            await asyncio.sleep(0)
        done.add(event.order_id)

    await station.send(order("bad"), *(order(f"o{n}") for n in range(5)))

    serving = await station.serve(queue, ledger=ledger, concurrency=2)

    await eventually(station.is_drained, within=10)
    assert done == {f"o{n}" for n in range(5)}
    assert sorted(ledger.ended.values()) == ["completed"] * 5 + ["dead"]
    assert serving.consumer.alive


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_a_busy_consumer_does_not_starve_an_ownerless_event(station: Station, concurrency: int) -> None:
    queue, seen = Queue("orders"), list[str]()

    @queue.on(OrderShipped)
    async def handle(event: OrderShipped) -> None:
        seen.append(event.order_id)
        if event.order_id == "orphan" and seen.count("orphan") == 1:
            await asyncio.sleep(60)
        await asyncio.sleep(0.07)

    await station.send(order("orphan"))
    crashing = await station.serve(queue)
    await eventually(lambda: seen)
    await crashing.crash()
    await station.send(*(order(f"o{n}") for n in range(300)))

    await station.serve(queue, concurrency=concurrency)

    await eventually(lambda: seen.count("orphan") == 2, within=6)


async def test_a_cancellation_that_a_handler_leaves_behind_ends_no_loop(station: Station) -> None:
    """It arrives while the ledger works: nobody can say what became of the event, which comes again later."""

    class Surprised(MemoryLedger):
        async def fail(self, delivery: Delivery, error: Exception) -> Verdict:
            cancel_own_task()
            await asyncio.sleep(0)
            raise AssertionError

    queue, done = Queue("orders"), set[str]()

    @queue.on(OrderShipped)
    async def handle(event: OrderShipped) -> None:
        if event.order_id == "bad":
            raise ValueError
        done.add(event.order_id)

    serving = await station.serve(queue, ledger=Surprised(), concurrency=1)
    await station.send(order("bad"))
    await eventually(station.retrying)
    await station.send(*(order(f"o{n}") for n in range(5)))

    await eventually(lambda: done == {f"o{n}" for n in range(5)})
    assert serving.consumer.alive
