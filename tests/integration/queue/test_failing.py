"""What becomes of an event whose handler does not simply return."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from shared.events import OrderCreated, OrderShipped
from shared.queue import (
    ExpiredError,
    GiveUpError,
    MemoryLedger,
    PostponeError,
    Queue,
    RetryLaterError,
    RetryPolicy,
)
from shared.queue.codec import DATA_FIELD, pack
from support import eventually
from support.queueing import HIGH, NORMAL, SOON, Serving, Station, order, wrap


class Workshop:
    """A handler that does what the order's name says, and neighbours that are of no trouble."""

    def __init__(self) -> None:
        self.starts: dict[str, list[float]] = {}
        self.queue = Queue("orders")
        self.queue.on(OrderShipped, time_limit=0.2)(self.handle)

    async def handle(self, event: OrderShipped) -> None:
        starts = self.starts.setdefault(event.order_id, [])
        starts.append(time.monotonic())
        match event.order_id:
            case "bug":
                raise KeyError("a bug")
            case "flaky" if len(starts) < 3:
                raise RetryLaterError("away")
            case "soon" if len(starts) < 2:
                raise RetryLaterError("away", after=timedelta(milliseconds=300))
            case "never":
                raise GiveUpError("no_such_sku")
            case "early" if len(starts) < 4:
                raise PostponeError("order_missing")
            case "too-early":
                raise PostponeError("order_missing")
            case "cancels":
                raise asyncio.CancelledError
            case "hangs":
                await asyncio.sleep(60)
            case "stubborn":
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(60)
            case _:
                pass


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


async def settled(station: Station, serving: Serving, name: str) -> list[str]:
    """How the tries of this order were settled, once nothing is left; its neighbours were completed."""
    await eventually(station.is_drained)
    assert serving.journal.outcomes("neighbour") == ["completed"] * 5
    assert serving.consumer.alive
    return serving.journal.outcomes(name)


@pytest.fixture
async def serving(station: Station, workshop: Workshop) -> Serving:
    await station.send(*(order("neighbour") for _ in range(5)))
    return await station.serve(workshop.queue)


async def test_a_bug_is_retried_until_its_attempts_are_used_up(station: Station, serving: Serving) -> None:
    await station.send(order("bug"))

    assert await settled(station, serving, "bug") == ["failed"] * 4 + ["dead"]


async def test_the_envelope_may_say_how_often(station: Station, serving: Serving) -> None:
    await station.send(order("bug", max_attempts=2))

    assert await settled(station, serving, "bug") == ["failed", "dead"]


async def test_the_declaration_may_say_how_often(station: Station) -> None:
    queue, starts = Queue("orders"), list[str]()

    @queue.on(OrderShipped, attempts=3)
    async def fail(event: OrderShipped) -> None:
        starts.append(event.order_id)
        raise ValueError

    await station.send(order("o"))
    await station.serve(queue)

    await eventually(station.is_drained)
    assert len(starts) == 3


async def test_what_fails_for_now_completes_later(station: Station, serving: Serving) -> None:
    await station.send(order("flaky"))

    assert await settled(station, serving, "flaky") == ["failed", "failed", "completed"]


async def test_a_handler_may_say_when_to_try_again(
    station: Station, serving: Serving, workshop: Workshop
) -> None:
    gaps: list[float] = []
    for _ in range(3):
        await station.send(order("soon"))
        await settled(station, serving, "soon")
        first, second = workshop.starts.pop("soon")
        gaps.append(second - first)

    assert all(gap >= 0.3 for gap in gaps)
    assert min(gaps) < 0.8


async def test_retries_wait_longer_and_longer(station: Station, workshop: Workshop) -> None:
    policy = RetryPolicy(base=timedelta(milliseconds=100), cap=timedelta(seconds=2))
    await station.serve(workshop.queue, policy=policy)
    await station.send(*(order("bug", id=f"bug-{number}", max_attempts=5) for number in range(8)))

    await eventually(station.is_drained, within=10)

    # at most 0.1, 0.2, 0.4 and 0.8 s, each drawn evenly from nought: 0.75 s in the mean for each event
    lasted = max(workshop.starts["bug"]) - min(workshop.starts["bug"])
    assert 0.4 < lasted < 6


async def test_what_can_never_work_is_dead_at_once(station: Station, workshop: Workshop) -> None:
    ledger = MemoryLedger()
    await station.serve(workshop.queue, ledger=ledger)
    await station.send(order("never", id="x"))

    await eventually(station.is_drained)
    assert (ledger.ended["x", 0], ledger.reasons["x", 0]) == ("dead", "no_such_sku")


async def test_what_is_too_early_burns_no_attempt(station: Station, serving: Serving) -> None:
    await station.send(order("early", max_attempts=1))

    assert await settled(station, serving, "early") == ["postponed"] * 3 + ["completed"]


async def test_what_is_too_early_for_too_long_is_dead(station: Station, workshop: Workshop) -> None:
    policy = RetryPolicy(postponed_at_most=timedelta(seconds=0.5))
    ledger = MemoryLedger()
    serving = await station.serve(workshop.queue, ledger=ledger, policy=policy)
    await station.send(order("too-early", id="x"))

    await eventually(station.is_drained)
    assert ledger.reasons["x", 0] == "order_missing"
    assert serving.journal.outcomes("too-early")[-2:] == ["postponed", "dead"]


async def test_two_bodies_of_one_id_that_wait_are_both_tried_again(station: Station) -> None:
    """Only somebody who passes the gateway by can send them; neither may vanish without a trace."""
    tries: Counter[str] = Counter()
    queue = Queue("orders")

    @queue.on(OrderShipped)
    async def be_early(event: OrderShipped) -> None:
        tries[event.carrier] += 1
        raise PostponeError("early")

    await station.serve(queue)
    for carrier in ("one", "other"):
        body = OrderShipped(order_id="o", carrier=carrier, tracking_number="1")
        await station.send(wrap(body, id="x"))

    await eventually(lambda: min(tries["one"], tries["other"]) >= 3)


async def test_what_has_expired_is_not_started(
    station: Station, serving: Serving, workshop: Workshop
) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    await station.send(order("late", expires_at=past), order("in-time", expires_at=past + timedelta(hours=1)))

    assert await settled(station, serving, "late") == ["expired"]
    assert "late" not in workshop.starts
    assert serving.journal.outcomes("in-time") == ["completed"]


async def test_only_its_handler_knows_whether_an_event_with_an_effect_outside_expires(
    station: Station,
) -> None:
    """What was begun, a charge perhaps, has to be brought to its end however late it is."""
    queue = Queue("orders")

    @queue.on(OrderShipped, outside=True)
    async def begun_or_not(event: OrderShipped) -> None:
        if event.order_id == "not-begun":
            raise ExpiredError

    past = datetime.now(UTC) - timedelta(seconds=1)
    serving = await station.serve(queue)
    await station.send(order("begun", expires_at=past), order("not-begun", expires_at=past))

    await eventually(station.is_drained)
    assert serving.journal.outcomes("begun") == ["completed"]
    assert serving.journal.outcomes("not-begun") == ["expired"]


async def test_a_handler_that_cancels_itself_has_failed(station: Station, serving: Serving) -> None:
    await station.send(order("cancels", max_attempts=2))

    assert await settled(station, serving, "cancels") == ["failed", "dead"]


async def test_a_handler_that_hangs_is_ended_by_its_time_limit(station: Station, serving: Serving) -> None:
    await station.send(order("hangs", max_attempts=2))

    assert await settled(station, serving, "hangs") == ["failed", "dead"]


async def test_a_handler_that_returns_late_has_completed(station: Station, serving: Serving) -> None:
    await station.send(order("stubborn"))

    assert await settled(station, serving, "stubborn") == ["completed"]


async def test_an_unknown_type_is_dead_and_kept(station: Station, workshop: Workshop) -> None:
    ledger = MemoryLedger()
    serving = await station.serve(workshop.queue, ledger=ledger)
    await station.send(order("o", id="x", type="ORDER_FRAMED"))
    await station.send(order("o", id="y", type="ORDER_PAID"))

    await eventually(station.is_drained)
    assert (ledger.reasons["x", 0], ledger.reasons["y", 0]) == ("unknown_type", "unknown_type")
    assert serving.consumer.alive


@pytest.mark.parametrize(
    "data",
    [
        "",
        "null",
        "[]",
        "{",
        '{"order_id": 1, "carrier": "dhl", "tracking_number": "42"}',
        '{"order_id": "1", "carrier": "dhl", "tracking_number": "42", "extra": 1}',
        '{"order_id": "1"}',
        "[" * 100_000,
    ],
    ids=["empty", "null", "list", "broken", "wrong type", "extra field", "missing field", "deep"],
)
async def test_data_against_the_contract_is_dead_at_once(
    station: Station, workshop: Workshop, data: str
) -> None:
    ledger = MemoryLedger()
    serving = await station.serve(workshop.queue, ledger=ledger)
    await station.send(order("o", id="x", data=data))

    await eventually(station.is_drained)
    assert (ledger.ended["x", 0], ledger.reasons["x", 0]) == ("dead", "invalid")
    assert serving.consumer.alive


async def test_data_is_validated_strictly(station: Station) -> None:
    ledger, queue, seen = MemoryLedger(), Queue("orders"), list[OrderCreated]()

    @queue.on(OrderCreated)
    async def see(event: OrderCreated) -> None:
        seen.append(event)

    line = '{"sku": "mug", "quantity": %s, "unit_price": 100}'
    customer = '{"id": "c", "email": "a@example.org", "name": "A"}'
    data = '{"order_id": "1", "customer": %s, "lines": [%s], "currency": "EUR", "total": 100}'
    await station.serve(queue, ledger=ledger)

    for name, quantity in (("right", "1"), ("text", '"1"'), ("bool", "true"), ("float", "1.0")):
        created = order("o", id=name, type="ORDER_CREATED", data=data % (customer, line % quantity))
        await station.send(created)

    await eventually(station.is_drained)
    assert [outcome for _, outcome in sorted(ledger.ended.items())] == [
        "dead",
        "dead",
        "completed",
        "dead",
    ]
    assert isinstance(seen[0].lines, tuple)


def headers(**changed: str) -> dict[str, str]:
    return {"message_id": "x", "type": "ORDER_SHIPPED", "time": "2026-01-01T00:00:00Z", **changed}


GARBAGE = {
    "no field": {b"other": b"x"},
    "empty": {DATA_FIELD: b""},
    "bytes": {DATA_FIELD: b"\xff\xfe\x00garbage"},
    "five megabytes": {DATA_FIELD: b"\xff" * 5_000_000},
    "json": {DATA_FIELD: b'{"order_id": "1"}'},
    "headers are a list": {DATA_FIELD: b'{"data": "{}", "headers": ["message_id"]}'},
    "headers are a number": {DATA_FIELD: b'{"data": "{}", "headers": 5}'},
    "type is a list": {DATA_FIELD: b'{"data": "{}", "headers": {"message_id": "x", "type": []}}'},
    "id is a number": {DATA_FIELD: b'{"data": "{}", "headers": {"message_id": 1, "type": "ORDER_SHIPPED"}}'},
    "id is an object": {
        DATA_FIELD: b'{"data": "{}", "headers": {"message_id": {}, "type": "ORDER_SHIPPED"}}'
    },
    "surrogate": {
        DATA_FIELD: b'{"data": "{}", "headers": {"message_id": "\\ud800", "type": "ORDER_SHIPPED"}}'
    },
    "nul in id": {DATA_FIELD: pack(headers(message_id="a\x00b"), b"{}")},
    "endless id": {DATA_FIELD: pack(headers(message_id="a" * 60_000), b"{}")},
    "nul in type": {DATA_FIELD: pack(headers(type="ORDER\x00"), b"{}")},
    "nul in source": {DATA_FIELD: pack(headers(source="a\x00b"), b"{}")},
    "nul in story": {DATA_FIELD: pack(headers(correlation_id="a\x00b"), b"{}")},
    "naive time": {DATA_FIELD: pack(headers(time="2026-01-01T00:00:00"), b"{}")},
    "naive expiry": {DATA_FIELD: pack(headers(expires="2026-01-01T00:00:00"), b"{}")},
    "time at the edge": {DATA_FIELD: pack(headers(time="0001-01-01T00:00:00+14:00"), b"{}")},
    "huge run": {DATA_FIELD: pack(headers(run="99999999999999999999"), b"{}")},
    "negative run": {DATA_FIELD: pack(headers(run="-1"), b"{}")},
    "huge limit": {DATA_FIELD: pack(headers(maxattempts="9" * 5_000), b"{}")},
    "data is no text": {DATA_FIELD: pack(headers(), b"\xff\xff")},
    "cut off": {DATA_FIELD: pack(headers(), b"{}")[:40]},
    "wrong offsets": {DATA_FIELD: pack(headers(), b"{}")[:10] + b"\xff" * 8 + b"\xff\xff"},
}


@pytest.mark.parametrize("fields", GARBAGE.values(), ids=GARBAGE)
async def test_bytes_that_are_no_event_are_dead_at_once(
    station: Station, workshop: Workshop, fields: dict[bytes, bytes]
) -> None:
    ledger = MemoryLedger()
    await station.send(order("before", id="before"))
    serving = await station.serve(workshop.queue, ledger=ledger)
    await eventually(station.is_drained)

    await station.client.xadd(NORMAL, fields)  # type: ignore[arg-type] redis-py says str
    await station.client.xadd(HIGH, fields)  # type: ignore[arg-type] redis-py says str
    await station.send(order("after", id="after"))

    await eventually(station.is_drained)
    assert set(ledger.reasons.values()) == {"undecodable"}
    assert ledger.ended["after", 0] == "completed"
    assert sorted(outcome for _, outcome in serving.journal.verdicts) == ["completed"] * 2 + ["dead"] * 2
    assert serving.consumer.alive


async def test_copies_of_one_run_collapse_while_they_wait_for_their_retry(
    station: Station, workshop: Workshop
) -> None:
    policy = RetryPolicy(base=timedelta(days=1), cap=timedelta(days=1))
    await station.serve(workshop.queue, policy=policy)

    for run in (0, 0, 1):
        await station.send(order("bug", id="same", run=run, max_attempts=9))

    await eventually(lambda: len(workshop.starts.get("bug", [])) == 3)
    await eventually(station.retrying)
    await asyncio.sleep(0.1)
    assert (await station.length(), await station.retrying()) == (0, 2)


async def test_infrastructure_burns_no_attempt(station: Station) -> None:
    queue, starts, up = Queue("orders"), list[str](), asyncio.Event()

    class Down(MemoryLedger):
        async def ping(self) -> None:
            if not up.is_set():
                raise ConnectionError("the database is away")

    @queue.on(OrderShipped)
    async def work(event: OrderShipped) -> None:
        starts.append(event.order_id)
        if not up.is_set():
            raise ConnectionError("the database is away")

    ledger = Down()
    await station.send(*(order(f"o{number}", max_attempts=1) for number in range(30)))
    serving = await station.serve(queue, ledger=ledger)
    await eventually(lambda: serving.consumer.breaker.trouble)
    await asyncio.sleep(1)
    assert serving.consumer.breaker.trouble
    assert len(starts) <= 5
    up.set()

    await eventually(station.is_drained, within=10)
    assert list(ledger.ended.values()) == ["completed"] * 30
    assert not ledger.failures


async def test_what_only_one_event_calls_infrastructure_is_its_own_fault(station: Station) -> None:
    queue, ledger = Queue("orders"), MemoryLedger()

    @queue.on(OrderShipped)
    async def work(event: OrderShipped) -> None:
        if event.order_id == "bad":
            raise ConnectionError("no such table")

    await station.send(order("bad", id="bad", max_attempts=1), *(order(f"o{n}") for n in range(20)))
    serving = await station.serve(queue, ledger=ledger)

    await eventually(station.is_drained, within=10)
    assert ledger.ended["bad", 0] == "dead"
    assert len(ledger.ended) == 21
    assert serving.consumer.alive


async def test_an_event_of_another_contract_has_the_default_limit(station: Station) -> None:
    queue = Queue("orders")
    ledger = MemoryLedger()

    @queue.on(OrderCreated)
    async def never_called(event: OrderCreated) -> None:
        raise AssertionError

    await station.serve(queue, ledger=ledger, policy=SOON)
    await station.send(wrap(OrderShipped(order_id="o", carrier="dhl", tracking_number="1"), id="x"))

    await eventually(station.is_drained)
    assert ledger.reasons["x", 0] == "unknown_type"
