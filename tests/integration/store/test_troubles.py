"""What stands between the store and the queue when something is odd about an event, a clock, or Redis."""

import asyncio
import sqlite3
import traceback
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.events import OrderCancelled, OrderShipped
from shared.queue import PostponeError, Queue, RedisSender
from shared.queue.clock import ServerClock
from shared.queue.connection import connect
from shared.queue.deadline import Deadline, TimeLimitError
from shared.store.database import Database
from shared.store.ledger import SqlLedger
from shared.store.migrate import migrate
from shared.store.relay import Relay
from shared.store.steps import current_steps
from shared.store.tables import Inbox, Outbox, sendable_columns, utc_now
from shared.store.unit import CurrentUnit, current_unit
from support.deliveries import delivery, envelope, rows
from support.queueing import order, station_at
from support.redis_server import RedisServer
from support.waiting import eventually

COUNT_TO_300_000 = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 300000) SELECT x FROM c"
)
COUNT_FOR_LONG = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 8000000) SELECT count(*) FROM c"
)
"""One statement that takes longer than the time limit, whatever the machine, and some seconds at most."""


async def test_an_effect_does_not_come_before_its_cause_where_a_worker_is_behind_the_clock_of_redis(
    database: Database,
) -> None:
    ledger = SqlLedger(database, source="test")
    redis_time = utc_now() + timedelta(minutes=2)

    async with ledger.transaction(delivery(fetched_at=redis_time)):
        current_unit().publish(OrderCancelled(order_id="o", reason="out_of_stock"))
    async with ledger.steps(delivery(envelope("y"), fetched_at=redis_time)):
        async with current_steps().step() as unit:
            unit.publish(OrderCancelled(order_id="p", reason="out_of_stock"))
        async with current_steps().last() as unit:
            unit.publish(OrderCancelled(order_id="q", reason="out_of_stock"))

    assert [caused.time >= redis_time for caused in await rows(database, Outbox)] == [True] * 3


async def test_replicas_whose_clocks_differ_agree_how_long_an_event_was_postponed(sqlite_url: str) -> None:
    migrate(sqlite_url, "order_worker")
    database = Database(sqlite_url)
    ledger = SqlLedger(database, source="test")
    redis_time = utc_now() - timedelta(hours=1)  # of both; the machine of the test is an hour ahead of it

    first = await ledger.postpone(delivery(entry="1-1", fetched_at=redis_time), PostponeError("early"))
    second = await ledger.postpone(
        delivery(entry="1-2", fetched_at=redis_time + timedelta(seconds=1)), PostponeError("early")
    )

    assert [first.outcome, second.outcome] == ["postponed", "postponed"]
    await database.close()


class WipedMidway(RedisSender):
    """Redis is wiped between two batches of one sweep."""

    def __init__(self, server: RedisServer) -> None:
        self.client = connect(server.url)
        super().__init__(self.client, opens=True)
        self.sends = 0
        self._server = server

    async def send(self, queue: str, envelopes: object) -> str | None:
        self.sends += 1
        if self.sends == 2:
            self._server.flushall()
        return await super().send(queue, envelopes)  # pyright: ignore[reportArgumentType] as they came


async def test_a_sweep_during_which_redis_is_wiped_ends(
    sqlite_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    migrate(sqlite_url, "order_worker")
    database = Database(sqlite_url)
    old = utc_now() - timedelta(minutes=1)
    async with database.transaction() as session:
        for number in range(450):
            columns = sendable_columns(order(f"o{number}", id=f"e{number:03}"), "orders")
            session.add(Outbox(**columns, created_at=old))
    sender = WipedMidway(redis_server)
    relay = Relay(database, Outbox, sender, queues=["orders"], sweep=0.05)
    assert isinstance(sender.clock, ServerClock)

    for _ in range(4):
        await relay.sweep("orders")

    assert sender.sends <= 7
    with redis_server.client() as client:
        entries = client.xrange("{orders}:normal")
    assert entries is not None and len(entries) >= 450  # noqa: PT018 one truth
    await sender.client.aclose()
    await database.close()


async def test_a_statement_that_its_time_limit_cuts_off_leaves_no_lock_behind(
    sqlite_url: str, redis_server: RedisServer
) -> None:
    """Leans, as the mend does, on how aiosqlite queues its work."""
    migrate(sqlite_url, "order_worker")
    database = Database(sqlite_url)
    queue = Queue("orders")

    @queue.on(OrderShipped, time_limit=1.0, attempts=2)
    async def handle(event: OrderShipped, unit: CurrentUnit) -> None:
        while event.order_id == "slow":
            (await unit.session.execute(text(COUNT_TO_300_000))).first()

    async with station_at(redis_server.url) as station:
        await station.send(order("slow"), *(order(f"o{n}") for n in range(3)))
        await station.serve(queue, ledger=SqlLedger(database, source="test"), concurrency=5)

        await eventually(station.is_drained, within=8)

    assert {row.outcome for row in await rows(database, Inbox)} == {"dead", "completed"}
    await database.close()


async def test_one_long_statement_that_is_cut_off_leaves_no_lock_behind(sqlite_url: str) -> None:
    """The error that cut it off, which is kept here as in a log, holds on to its cursor."""
    migrate(sqlite_url, "order_worker")
    database = Database(sqlite_url)

    async def count() -> None:
        async with database.transaction() as session:
            with Deadline(0.5, "the count"):
                await session.execute(text(COUNT_FOR_LONG))

    with pytest.raises(TimeLimitError) as kept:
        await count()
    try:
        other = await asyncio.to_thread(_begin_to_write, sqlite_url, within=60)
    finally:
        assert kept.tb is not None
        traceback.clear_frames(kept.tb)
        await database.close()

    assert other == "begun"


def _begin_to_write(url: str, *, within: float) -> str:
    """As another process does; `begun`, or what keeps it from that."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=within)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            return str(error)
        return "begun"
