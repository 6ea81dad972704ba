"""What each script guarantees by itself, whatever a late consumer asks of it."""

from datetime import timedelta
from typing import Any

import pytest
from redis.exceptions import ResponseError

from shared.queue.keys import GROUP
from shared.queue.scripts import Call, Scripts
from support.queueing import NORMAL, ORDERS, Station, order

LEASE_MS = 50


@pytest.fixture
def scripts(station: Station) -> Scripts:
    return Scripts(station.client)


async def fetch(scripts: Scripts, consumer: str, *, count: int = 1, look: str = "no") -> list[str]:
    keys = (ORDERS.control, ORDERS.retries, ORDERS.retry_bodies, *ORDERS.lanes)
    reply = await scripts.call("fetch", keys, GROUP, consumer, count, LEASE_MS, look, 0, 0)
    return [entry[1].decode() for entry in reply[3]]


async def owner(station: Station) -> dict[str, Any]:
    (entry,) = await station.held()
    return entry


@pytest.fixture
async def entry(station: Station, scripts: Scripts) -> str:
    """An entry that A fetched and that B took over when A's lease had lapsed."""
    await station.send(order("o", id="x"))
    (entry,) = await fetch(scripts, "A")
    await station.lapse("A", entry)
    assert await fetch(scripts, "B", look="take") == [entry]
    return entry


async def test_a_renewal_does_not_steal_back(station: Station, scripts: Scripts, entry: str) -> None:
    assert await scripts.call("renew", (NORMAL,), GROUP, "A", entry) == [entry.encode()]

    assert (await owner(station))["consumer"] == b"B"


async def test_a_renewal_of_ones_own_counts_no_delivery(
    station: Station, scripts: Scripts, entry: str
) -> None:
    await station.lapse("B", entry, idle=60_000)

    assert await scripts.call("renew", (NORMAL,), GROUP, "B", entry) == []

    held = await owner(station)
    assert held["times_delivered"] == 2
    assert held["time_since_delivered"] < 30_000


async def test_the_failure_of_a_zombie_moves_nothing(station: Station, scripts: Scripts, entry: str) -> None:
    keys = (NORMAL, ORDERS.retries, ORDERS.retry_bodies)

    assert await scripts.call("later", keys, GROUP, "A", entry, 2, "x:0", 1_000) == 0

    assert (await station.length(), await station.retrying()) == (1, 0)
    assert (await owner(station))["consumer"] == b"B"


async def test_an_entry_without_a_body_is_not_lost_by_a_move(station: Station, scripts: Scripts) -> None:
    await station.send(order("o"))
    strange: Any = await station.client.xadd(NORMAL, {"theirs": "1"})
    await fetch(scripts, "A", count=2)
    keys = (NORMAL, ORDERS.retries, ORDERS.retry_bodies)

    assert await scripts.call("later", keys, GROUP, "A", strange.decode(), 2, "x:0", 1_000) == 0

    assert strange in {held["message_id"] for held in await station.held()}
    assert await station.client.xrange(NORMAL, strange, strange)


@pytest.mark.usefixtures("entry")
async def test_a_hand_back_by_a_zombie_changes_nothing(station: Station, scripts: Scripts) -> None:
    assert await scripts.call("hand_back", (NORMAL,), GROUP, "A", 600_000) == 0

    held = await owner(station)
    assert (held["consumer"], held["times_delivered"]) == (b"B", 2)
    assert held["time_since_delivered"] < 300_000


@pytest.mark.usefixtures("entry")
async def test_a_release_gives_back_what_a_consumer_has_as_it_came(
    station: Station, scripts: Scripts
) -> None:
    assert await scripts.call("hand_back", (NORMAL,), GROUP, "B", 9_999) == 1

    held = await owner(station)
    assert held["times_delivered"] == 1
    assert held["time_since_delivered"] >= 9_999


@pytest.mark.usefixtures("entry")
async def test_a_consumer_with_something_pending_is_not_forgotten(station: Station, scripts: Scripts) -> None:
    await scripts.call("hand_back", (NORMAL,), GROUP, "B", 9_999)
    await scripts.call("tidy", (NORMAL,), GROUP, 0)

    assert "B" in await station.consumers()
    assert await station.pending() == 1


@pytest.mark.usefixtures("entry")
async def test_the_name_of_a_consumer_that_is_long_gone_is_forgotten(
    station: Station, scripts: Scripts
) -> None:
    await station.client.xgroup_createconsumer(NORMAL, GROUP, "gone")
    await scripts.call("tidy", (NORMAL,), GROUP, 60_000)
    assert "gone" in await station.consumers()

    await scripts.call("tidy", (NORMAL,), GROUP, 0)

    assert "gone" not in await station.consumers()


async def test_what_ended_is_acknowledged_whoever_holds_it(
    station: Station, scripts: Scripts, entry: str
) -> None:
    assert await scripts.call("ack", (NORMAL,), GROUP, entry) == 1
    assert await scripts.call("ack", (NORMAL,), GROUP, entry) == 0

    assert (await station.length(), await station.pending()) == (0, 0)


async def test_a_retry_keeps_its_bytes(station: Station, scripts: Scripts, entry: str) -> None:
    before = await station.bodies()
    keys = (NORMAL, ORDERS.retries, ORDERS.retry_bodies)

    assert await scripts.call("later", keys, GROUP, "B", entry, 2, "x:0", 1) == 1
    assert (await station.length(), await station.pending(), await station.retrying()) == (0, 0, 1)
    await station.client.zadd(ORDERS.retries, {"x:0": 0})
    assert len(await fetch(scripts, "C")) == 1

    assert await station.bodies() == before


async def test_a_retry_is_due_by_the_clock_of_redis(station: Station, scripts: Scripts, entry: str) -> None:
    keys = (NORMAL, ORDERS.retries, ORDERS.retry_bodies)
    await station.sender.epoch("orders")
    before = station.sender.clock.now()

    await scripts.call("later", keys, GROUP, "B", entry, 2, "x:0", 60_000)

    due = (await station.client.zscore(ORDERS.retries, "x:0")) or 0
    assert abs(due / 1000 - (before + timedelta(seconds=60)).timestamp()) < 20
    assert await fetch(scripts, "C") == []


async def test_a_suspect_is_taken_alone(station: Station, scripts: Scripts, entry: str) -> None:
    await station.send(order("p"), order("q"))
    await station.lapse("B", entry)

    assert await fetch(scripts, "C", count=5, look="take") == [entry]


async def test_a_lapsed_lease_is_no_reason_to_take_more_than_one(station: Station, scripts: Scripts) -> None:
    await station.send(order("p"), order("q"))
    both = await fetch(scripts, "A", count=2)
    await station.lapse("A", *both)

    assert await fetch(scripts, "B", count=5, look="take") == both[:1]


async def test_a_look_takes_nothing(station: Station, scripts: Scripts, entry: str) -> None:
    await station.lapse("B", entry)

    assert await fetch(scripts, "C", count=5, look="look") == []
    assert (await owner(station))["consumer"] == b"B"


async def test_forgotten_scripts_are_loaded_in_the_middle_of_a_round_trip(
    station: Station, scripts: Scripts
) -> None:
    await station.send(order("o"))
    await station.client.script_flush()

    replies = await scripts.call_all(
        [
            Call("ack", (NORMAL,), (GROUP, "1-1")),
            Call("epoch", (ORDERS.control,)),
        ]
    )

    assert replies[0] == 0
    assert replies[1][0] != b""


async def test_a_refused_call_leaves_the_replies_of_its_neighbours(
    station: Station, scripts: Scripts
) -> None:
    await station.send(order("o"))
    await station.client.set("{orders}:other", "no stream")

    refused, epoch = await scripts.call_all(
        [
            Call("ack", ("{orders}:other",), (GROUP, "1-1")),
            Call("epoch", (ORDERS.control,)),
        ]
    )

    assert isinstance(refused, ResponseError)
    assert epoch[0] != b""
