"""Many events, handlers that err at random, and consumers that end in the middle of it."""

import asyncio
import random
from collections import Counter

from shared.events import OrderShipped, Priority
from shared.queue import MemoryLedger, PostponeError, Queue, RetryLaterError
from support import eventually
from support.queueing import HIGH, LOW, NORMAL, Station, order

EVENTS = 2_000


async def test_every_event_has_its_effect_once(station: Station) -> None:
    effects, chance, ledger, queue = Counter[str](), random.Random(1), MemoryLedger(), Queue("orders")

    @queue.on(OrderShipped)
    async def err_at_random(event: OrderShipped) -> None:
        await asyncio.sleep(chance.choice((0, 0, 0.001, 0.003)))
        draw = chance.random()
        if draw < 0.05:
            raise RetryLaterError("away")
        if draw < 0.08:
            raise PostponeError("early")
        if draw < 0.1:
            raise ValueError("a bug")
        if draw < 0.11:
            raise asyncio.CancelledError
        effects[event.order_id] += 1

    consumers = [await station.serve(queue, ledger=ledger) for _ in range(3)]
    lanes = list(Priority)
    for start in range(0, EVENTS, 200):
        batch = [
            order(f"o{number}", id=f"o{number}", priority=chance.choice(lanes), max_attempts=50)
            for number in range(start, start + 200)
        ]
        await station.send(*batch, *chance.sample(batch, 20))
        if start == 600:
            await consumers[0].crash()
        if start == 1_200:
            await consumers[1].broker.stop()
        await asyncio.sleep(0.05)

    await eventually(station.is_drained, within=40)
    assert len(effects) == EVENTS
    assert set(effects.values()) == {1}
    assert set(ledger.ended.values()) == {"completed"}
    assert consumers[2].consumer.alive
    for lane in (HIGH, NORMAL, LOW):
        group = await station.group(lane)
        assert (group["pending"], group["lag"]) == (0, 0)
