"""A handler ends its try, and nothing more."""

import asyncio
import sys

import pytest

from shared.events import OrderShipped
from shared.queue import MemoryLedger, Queue
from support.queueing import Station, order
from support.waiting import eventually


@pytest.mark.parametrize("how", ["sys.exit", "cancellation"])
async def test_a_handler_that_exits_is_a_failed_attempt_and_harms_no_neighbour(
    station: Station, how: str
) -> None:
    ledger, queue, done = MemoryLedger(), Queue("orders"), set[str]()

    @queue.on(OrderShipped, attempts=2)
    async def handle(event: OrderShipped) -> None:
        if event.order_id == "bad":
            if how == "sys.exit":
                sys.exit(3)
            raise asyncio.CancelledError
        done.add(event.order_id)

    await station.send(order("bad"), *(order(f"o{n}") for n in range(5)))

    serving = await station.serve(queue, ledger=ledger)

    await eventually(station.is_drained, within=10)
    assert done == {f"o{n}" for n in range(5)}
    assert sorted(ledger.ended.values()) == ["completed"] * 5 + ["dead"]
    assert serving.consumer.alive
