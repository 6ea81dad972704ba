"""Our entries and FastStream's are the same: each side reads what the other writes."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from faststream.redis import RedisBroker, StreamSub
from faststream.redis.annotations import RedisStreamMessage
from faststream.redis.parser import BinaryMessageFormatV1
from hypothesis import given
from hypothesis import strategies as st

from shared.events import OrderShipped, Priority
from shared.queue import MemoryLedger, Queue
from shared.queue.codec import DATA_FIELD, EntryFormat, decode, encode, pack
from support import RedisServer, eventually
from support.deliveries import envelope
from support.queueing import NORMAL, order, shipped, station_at

FULL = envelope(
    "id-1",
    time=datetime(2026, 11, 24, 11, 0, 0, 123_000, UTC),
    subject="order/grüße",
    causation_id="cause",
    correlation_id="straße-日本",
    source="gateway-ü",
    expires_at=datetime.now(UTC) + timedelta(hours=1),
    max_attempts=7,
    run=2,
)


def test_faststream_reads_what_we_write() -> None:
    body, headers = BinaryMessageFormatV1.parse(encode(FULL))

    assert body == FULL.data.encode()
    assert headers["message_id"] == "id-1"
    assert headers["subject"] == "order/grüße"
    assert headers["correlation_id"] == "straße-日本"


async def test_we_read_what_faststream_writes() -> None:
    raw = await BinaryMessageFormatV1.encode(
        message=shipped("o").to_json(),
        reply_to=None,
        headers={"message_id": "x", "type": "ORDER_SHIPPED", "time": "2026-01-01T00:00:00Z"},
        correlation_id="story",
    )

    event = decode(raw, Priority.LOW)

    assert (event.id, event.type, event.correlation_id) == ("x", "ORDER_SHIPPED", "story")
    assert (event.priority, event.run, event.source) == (Priority.LOW, 0, "unknown")
    assert OrderShipped.model_validate_json(event.data) == shipped("o")


@given(
    st.dictionaries(st.text(max_size=30), st.text(max_size=60), max_size=8),
    st.binary(max_size=200),
)
def test_both_readers_agree_on_what_we_write(headers: dict[str, str], body: bytes) -> None:
    raw = pack(headers, body)

    ours, theirs = EntryFormat.parse(raw), BinaryMessageFormatV1.parse(raw)

    if "message_id" in headers:
        theirs[1].setdefault("correlation_id", headers["message_id"])
    assert ours == theirs == (body, theirs[1])


@given(st.binary(max_size=300), st.booleans())
def test_both_readers_agree_on_any_bytes(tail: bytes, magic: bool) -> None:
    raw = (b"\x89BIN\r\n\x1a\n\x00\x01\x00\x00\x00\x12" if magic else b"") + tail

    ours, theirs = EntryFormat.parse(raw), BinaryMessageFormatV1.parse(raw)

    with suppress(KeyError, TypeError, AttributeError):  # what another format calls headers may be anything
        theirs[1].setdefault("correlation_id", theirs[1]["message_id"])
    assert ours == theirs


async def test_a_stock_subscriber_reads_our_entries(redis_server: RedisServer) -> None:
    seen: list[tuple[OrderShipped, dict[str, Any]]] = []
    broker = RedisBroker(redis_server.url)

    @broker.subscriber(stream=StreamSub(NORMAL, last_id="0", polling_interval=50))
    async def handle(event: OrderShipped, message: RedisStreamMessage) -> None:
        seen.append((event, message.headers))

    async with station_at(redis_server.url) as station:
        sent = order("o", subject="order/grüße")
        await station.send(sent)
        async with broker:
            await broker.start()
            await eventually(lambda: seen)

    (event, headers) = seen[0]
    assert event == shipped("o")
    assert (headers["message_id"], headers["subject"]) == (sent.id, "order/grüße")


async def test_what_a_stock_publisher_sends_is_handled(redis_server: RedisServer) -> None:
    seen: list[OrderShipped] = []
    queue, ledger = Queue("orders"), MemoryLedger()

    @queue.on(OrderShipped)
    async def handle(event: OrderShipped) -> None:
        seen.append(event)

    async with station_at(redis_server.url) as station, RedisBroker(redis_server.url) as stock:
        await station.send(order("first"))
        await station.serve(queue, ledger=ledger)
        headers = {"type": "ORDER_SHIPPED", "message_id": "x"}

        await stock.publish(shipped("second"), stream=NORMAL, headers=headers)
        await stock.publish(shipped("second"), stream=NORMAL, headers=headers)
        third: Any = shipped("third").to_data()
        await stock.publish(third, stream=NORMAL, headers=headers | {"message_id": "y"})

        await eventually(station.is_drained)
        assert [event.order_id for event in seen] == ["first", "second", "third"]
        assert ledger.ended["x", 0] == "completed"


async def test_no_result_goes_where_the_sender_asks_for_it(redis_server: RedisServer) -> None:
    queue = Queue("orders")

    @queue.on(OrderShipped)
    async def handle(event: OrderShipped) -> Any:
        return "a result"

    async with station_at(redis_server.url) as station, RedisBroker(redis_server.url) as stock:
        await station.send(order("first"))
        await station.serve(queue)
        async with station.client.pubsub() as replies:
            await replies.subscribe("replies")
            await replies.get_message(ignore_subscribe_messages=True, timeout=10)
            headers = {"type": "ORDER_SHIPPED", "message_id": "x"}
            await stock.publish(shipped("o"), stream=NORMAL, headers=headers, reply_to="replies")
            await eventually(station.is_drained)

            assert await replies.get_message(timeout=0.2) is None


@pytest.mark.parametrize("with_story", [True, False])
async def test_faststreams_older_format_is_handled(redis_server: RedisServer, *, with_story: bool) -> None:
    seen: list[OrderShipped] = []
    queue, ledger = Queue("orders"), MemoryLedger()
    story = '"correlation_id": "story", ' if with_story else ""
    data = shipped("old").to_json().replace('"', '\\"')
    raw = f'{{"data": "{data}", "headers": {{{story}"message_id": "x", "type": "ORDER_SHIPPED"}}}}'

    @queue.on(OrderShipped)
    async def handle(event: OrderShipped) -> None:
        seen.append(event)

    async with station_at(redis_server.url) as station:
        await station.send(order("first"))
        await station.serve(queue, ledger=ledger)
        await station.client.xadd(NORMAL, {DATA_FIELD: raw.encode()})  # type: ignore[dict-item] redis-py says str

        await eventually(station.is_drained)

    assert [event.order_id for event in seen] == ["first", "old"]
    assert ledger.ended["x", 0] == "completed"


def test_an_envelope_comes_back_as_it_was() -> None:
    assert decode(encode(FULL), FULL.priority) == FULL._replace(source="unknown")
