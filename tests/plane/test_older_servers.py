"""What Redis before 7.2 does differently, seen on Debian's."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.events import OrderShipped
from shared.queue import Queue
from shared.queue.inspection import Inspector
from support import eventually
from support.queueing import Station, order
from support.redis_server import BINARY_SETTING, RedisServer
from support.redis_tls import tls_binary


@pytest.fixture
async def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Station]:
    monkeypatch.setenv(BINARY_SETTING, str(tls_binary()))
    with RedisServer(tmp_path) as server:
        station = Station(server.url)
        yield station
        await station.close()


@pytest.mark.parametrize("events", [0, 1])
async def test_a_worker_that_finds_nothing_to_do_is_still_heard_of(
    station: Station, events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.queue.inspection.HEARD_OF", timedelta(seconds=2))
    queue, handled = Queue("orders"), asyncio.Event()
    inspector = Inspector(station.client)

    @queue.on(OrderShipped)
    async def handle(event: OrderShipped) -> None:
        handled.set()

    await station.sender.epoch("orders")
    await station.serve(queue)
    if events:
        await station.send(order("o"))
        await handled.wait()

    async def heard() -> bool:
        return (await inspector.depth("orders")).consumers == 1

    await eventually(heard)
    await asyncio.sleep(3)
    assert await heard()
