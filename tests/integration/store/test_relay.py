"""What the relay sends, when, and what it marks."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg.errors import LockNotAvailable
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import update
from sqlmodel import col

from shared.events import Envelope
from shared.queue.clock import ServerClock
from shared.store.database import Database
from shared.store.migrate import migrate
from shared.store.relay import Relay
from shared.store.tables import Outbox, sendable_columns
from support import eventually
from support.deliveries import envelope, row, rows

LONG_AGO = timedelta(minutes=1)


class FakeRedis:
    """A sender whose queue can be closed, wiped and lost."""

    def __init__(self) -> None:
        self.epochs: dict[str, str | None] = {"orders": "e1", "inventory": "e1"}
        self.sent: list[tuple[str, str, int]] = []
        """Queue, id and run, in their order."""
        self.clock = ServerClock()
        self.away = False
        self.silent: set[str] = set()
        """The queues whose server neither answers nor refuses."""
        self.cancellations = 0
        self.looks = 0
        self.on_send = asyncio.Event()
        self.hold = asyncio.Event()
        self.hold.set()
        self.wipe_at: int | None = None
        """Once so many were sent, the next send meets `next_epoch`."""
        self.next_epoch = "e2"

    async def send(self, queue: str, envelopes: Sequence[Envelope]) -> str | None:
        await self._reach(queue)
        if self.wipe_at is not None and len(self.sent) >= self.wipe_at:
            self.wipe_at = None
            self.epochs = dict.fromkeys(self.epochs, self.next_epoch)
        epoch = self.epochs[queue]
        if epoch is not None:
            self.sent += [(queue, each.id, each.run) for each in envelopes]
        self.on_send.set()
        await self.hold.wait()
        return epoch

    async def epoch(self, queue: str) -> str | None:
        self.looks += 1
        await self._reach(queue)
        return self.epochs[queue]

    async def _reach(self, queue: str) -> None:
        if self.away:
            raise RedisConnectionError("away")
        if queue in self.silent:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancellations += 1
                await self._leave(seconds=0.1 * self.cancellations)
                raise

    async def _leave(self, *, seconds: float) -> None:
        """As a connection that takes its time to close."""
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancellations += 1

    @property
    def ids(self) -> list[str]:
        return [each for _, each, _ in self.sent]


@pytest.fixture
def redis() -> FakeRedis:
    return FakeRedis()


def outbox(id: str = "x", *, age: timedelta = LONG_AGO, queue: str = "orders", **values: Any) -> Outbox:  # noqa: A002 its column
    columns: dict[str, Any] = sendable_columns(envelope(id), queue)
    columns |= {"created_at": datetime.now(UTC) - age} | values
    return Outbox(**columns)


async def add(database: Database, *added: Outbox) -> Sequence[Outbox]:
    async with database.transaction() as session:
        session.add_all(added)
    return added


@asynccontextmanager
async def relaying(database: Database, redis: FakeRedis, *, sweep: float = 0.05) -> AsyncGenerator[Relay]:
    relay = Relay(database, Outbox, redis, queues=("orders", "inventory"), sweep=sweep)
    running = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        assert not running.done(), running
        running.cancel()
        await asyncio.wait([running])


async def test_rows_of_a_commit_are_sent_at_once(database: Database, redis: FakeRedis) -> None:
    async with relaying(database, redis) as relay:
        relay.send_soon(await add(database, outbox("a", age=timedelta()), outbox("b", age=timedelta())))

        await eventually(lambda: redis.ids == ["a", "b"], within=1.8)  # before any sweep could
        await eventually(lambda: _all_marked(database, "e1"))
        assert redis.ids == ["a", "b"]


async def test_a_fresh_row_is_left_to_the_fast_path(database: Database, redis: FakeRedis) -> None:
    await add(database, outbox("fresh", age=timedelta(seconds=-1.5)), outbox("old"))

    async with relaying(database, redis):
        await eventually(lambda: "old" in redis.ids)
        await asyncio.sleep(0.3)
        assert redis.ids == ["old"]

        await eventually(lambda: "fresh" in redis.ids, within=8)


async def test_each_row_goes_to_its_queue(database: Database, redis: FakeRedis) -> None:
    await add(database, outbox("a", queue="inventory"), outbox("b", queue="orders"))

    async with relaying(database, redis):
        await eventually(lambda: sorted(redis.sent) == [("inventory", "a", 0), ("orders", "b", 0)])


async def test_what_was_sent_is_not_sent_again(database: Database, redis: FakeRedis) -> None:
    await add(database, *(outbox(f"o{number:03}") for number in range(450)))

    async with relaying(database, redis):
        await eventually(lambda: _all_marked(database, "e1"))
        await asyncio.sleep(0.3)

    assert sorted(redis.ids) == [f"o{number:03}" for number in range(450)]


async def test_after_a_wipe_every_open_row_is_sent_again(database: Database, redis: FakeRedis) -> None:
    fresh = timedelta(seconds=1)
    await add(
        database,
        outbox("old", sent_epoch="e1"),
        outbox("fresh", sent_epoch="e1", age=fresh),
        outbox("unsent"),
        outbox("closed", sent_epoch="e1", open=False),
    )
    async with relaying(database, redis):
        await eventually(lambda: redis.ids == ["unsent"])

        redis.epochs["orders"] = "e2"

        await eventually(lambda: set(redis.ids[1:]) == {"old", "fresh", "unsent"}, within=4)
        await asyncio.sleep(0.3)
        assert len(redis.ids) == 4


@pytest.mark.parametrize("later", ["d9", "e2"])
async def test_a_wipe_in_the_middle_of_a_sweep_brings_no_endless_repetition(
    database: Database, redis: FakeRedis, later: str
) -> None:
    await add(database, *(outbox(f"o{number:03}") for number in range(450)))
    redis.wipe_at, redis.next_epoch = 200, later

    async with relaying(database, redis):
        # sooner than a claim of rows that were left unmarked would end
        await eventually(lambda: len(set(redis.ids)) == 450, within=8)
        await eventually(lambda: _all_marked(database, later), within=8)
        await asyncio.sleep(0.5)

    assert len(redis.ids) <= 900


async def test_a_mark_that_comes_after_the_next_sweep_loses_nothing(
    database: Database, redis: FakeRedis
) -> None:
    async with relaying(database, redis) as relay, relaying(database, redis):  # another replica sweeps on
        redis.hold.clear()
        relay.send_soon(await add(database, outbox("x", age=timedelta())))
        await redis.on_send.wait()
        redis.epochs["orders"] = "e2"
        await eventually(lambda: redis.looks > 6)
        redis.hold.set()

        # Twice, or once more where the late mark of e1 came after that of e2 and made the row due again.
        await eventually(lambda: len(redis.ids) >= 2, within=5)
        await eventually(lambda: _all_marked(database, "e2"))


async def test_only_the_run_that_was_read_is_marked(database: Database, redis: FakeRedis) -> None:
    await add(database, outbox("x"))
    redis.hold.clear()
    async with relaying(database, redis):
        await redis.on_send.wait()
        async with database.transaction() as session:
            redriven = {"run": 1, "sent_epoch": None, "claimed_until": None}
            await session.execute(update(Outbox).where(col(Outbox.id) == "x").values(**redriven))
        redis.hold.set()

        await eventually(lambda: redis.sent == [("orders", "x", 0), ("orders", "x", 1)])
        await eventually(lambda: _all_marked(database, "e1"))


async def test_a_delayed_row_waits_for_its_time(database: Database, redis: FakeRedis) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2.5)
    (delayed, _) = await add(
        database, outbox("soon", not_before=soon), outbox("later", not_before=soon + timedelta(hours=1))
    )
    async with relaying(database, redis) as relay:
        relay.send_soon([delayed])
        await asyncio.sleep(0.2)
        assert redis.ids == []

        await eventually(lambda: redis.ids == ["soon"], within=8)


async def test_due_is_what_redis_calls_due(database: Database, redis: FakeRedis) -> None:
    hour = timedelta(hours=1)
    redis.clock.observe(datetime.now(UTC) + hour)
    await add(
        database,
        outbox("due", not_before=datetime.now(UTC) + hour - timedelta(seconds=5)),
        outbox("not due", not_before=datetime.now(UTC) + hour + timedelta(seconds=30)),
    )

    async with relaying(database, redis):
        await eventually(lambda: redis.ids)
        await asyncio.sleep(0.3)

    assert redis.ids == ["due"]


async def test_a_row_from_a_clock_that_was_ahead_is_sent(database: Database, redis: FakeRedis) -> None:
    await add(database, outbox("x", age=timedelta(hours=-1)))

    async with relaying(database, redis):
        await eventually(lambda: redis.ids == ["x"])


async def test_nothing_is_marked_while_the_queue_is_closed(database: Database, redis: FakeRedis) -> None:
    redis.epochs["orders"] = None
    async with relaying(database, redis) as relay:
        relay.send_soon(await add(database, outbox("x")))
        await asyncio.sleep(0.3)
        assert (await row(database, Outbox)).sent_epoch is None

        redis.epochs["orders"] = "e2"

        await eventually(lambda: redis.ids == ["x"])
        await eventually(lambda: _all_marked(database, "e2"))


async def test_an_absent_redis_only_delays(database: Database, redis: FakeRedis) -> None:
    redis.away = True
    async with relaying(database, redis) as relay:
        relay.send_soon(await add(database, outbox("a"), outbox("b")))
        await asyncio.sleep(0.3)
        assert redis.ids == []
        assert redis.looks < 20

        redis.away = False

        await eventually(lambda: redis.ids == ["a", "b"], within=13)


@pytest.mark.parametrize("age", [timedelta(), LONG_AGO], ids=["at once", "by a sweep"])
async def test_a_queue_whose_server_hangs_is_in_no_other_queues_way(
    database: Database, redis: FakeRedis, age: timedelta
) -> None:
    redis.silent.add("orders")
    async with relaying(database, redis) as relay:
        relay.send_soon(await add(database, outbox("a", age=timedelta())))
        await asyncio.sleep(0.1)

        added = await add(database, outbox("b", queue="inventory", age=age))
        if not age:
            relay.send_soon(added)

        await eventually(lambda: redis.ids == ["b"])


async def test_a_stray_cancellation_of_one_queues_task_ends_the_relay_and_so_is_noticed(
    database: Database, redis: FakeRedis
) -> None:
    redis.silent.add("orders")
    running = asyncio.create_task(Relay(database, Outbox, redis, queues=("orders", "inventory")).run())
    await eventually(lambda: redis.looks >= 2)

    (stray,) = [task for task in asyncio.all_tasks() if task.get_name() == "relay to orders"]
    stray.cancel()

    await asyncio.wait([running], timeout=5)
    assert running.cancelled()


async def test_each_of_its_tasks_is_cancelled_once(database: Database, redis: FakeRedis) -> None:
    """A second cancellation, while a connection is being closed for the first, hangs aiosqlite."""
    redis.silent |= {"orders", "inventory"}
    async with relaying(database, redis):
        await eventually(lambda: redis.looks == 2)

    assert redis.cancellations == 2


async def test_what_another_relay_sends_is_left_to_it(worker_url: str, database: Database) -> None:
    slow, quick = FakeRedis(), FakeRedis()
    slow.hold.clear()
    await add(database, *(outbox(f"o{number}") for number in range(50)))
    other = Database(worker_url)
    async with relaying(database, slow):
        await slow.on_send.wait()
        async with relaying(other, quick):
            await asyncio.sleep(0.5)
            assert quick.ids == []
            slow.hold.set()
            await eventually(lambda: _all_marked(database, "e1"))
            await asyncio.sleep(0.2)
    await other.close()

    assert len(slow.ids) + len(quick.ids) == 50


async def test_more_than_fits_in_memory_is_left_to_the_sweep(database: Database, redis: FakeRedis) -> None:
    added = await add(database, *(outbox(f"o{number:05}") for number in range(300)))

    async with relaying(database, redis) as relay:
        relay.send_soon(list(added) * 40)
        await eventually(lambda: len(set(redis.ids)) == 300)
        await eventually(lambda: _all_marked(database, "e1"))


async def _all_marked(database: Database, epoch: str) -> bool:
    return {each.sent_epoch for each in await rows(database, Outbox)} == {epoch}


AS_THEY_LIE = "-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off"
"""Rows are found as the table holds them, so that no index gives them the order that is asked of the code."""


@pytest.mark.parametrize(("held", "locked_by_then"), [("a", set[str]()), ("m", {"a"}), ("z", {"a", "m"})])
async def test_a_mark_locks_its_rows_in_the_order_of_their_ids(
    postgres_url: str, redis: FakeRedis, held: str, locked_by_then: set[str]
) -> None:
    """As the hand-over does, so that the two never wait for each other crosswise."""
    migrate(postgres_url, "order_worker")
    database = Database(f"{postgres_url}?options={quote(AS_THEY_LIE)}")
    for event_id in ("z", "a", "m"):
        await add(database, outbox(event_id, age=timedelta(seconds=-1.5)))
    async with (
        await psycopg.AsyncConnection.connect(postgres_url) as holding,
        await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as watching,
        relaying(database, redis, sweep=60) as relay,
    ):
        await holding.execute(LOCK, [held])
        relay.send_soon([outbox(event_id) for event_id in ("z", "a", "m")])
        await eventually(lambda: _waits(watching))
        assert {each for each in "amz" if each != held and await _is_locked(watching, each)} == locked_by_then
        await holding.rollback()
        await eventually(lambda: _all_marked(database, "e1"))
    await database.close()


WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
LOCK = "SELECT id FROM outbox WHERE id = %s FOR UPDATE NOWAIT"


async def _waits(watching: psycopg.AsyncConnection) -> bool:
    return await (await watching.execute(WAITING)).fetchone() == (1,)


async def _is_locked(connection: psycopg.AsyncConnection, event_id: str) -> bool:
    try:
        await connection.execute(LOCK, [event_id])
    except LockNotAvailable:
        return True
    return False
