"""An event as bytes: what goes in comes out, and no bytes do harm."""

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import Envelope, Priority
from shared.queue.codec import UndecodableError, decode, encode, pack
from support.deliveries import envelope

IDS = st.text(string.ascii_letters + string.digits + "._:-", min_size=1, max_size=64)
ATTRIBUTES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=100)
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 hypothesis adds the zone
    lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
)
TRACES = st.builds(
    "00-{}-{}-0{}".format,
    st.integers(1, 2**128 - 1).map("{:032x}".format),
    st.integers(1, 2**64 - 1).map("{:016x}".format),
    st.integers(0, 1),
)
ENVELOPES = st.builds(
    Envelope,
    id=IDS,
    type=ATTRIBUTES,
    source=ATTRIBUTES,
    time=TIMES,
    correlation_id=ATTRIBUTES,
    data=st.text(st.characters(exclude_categories=["Cs"]), max_size=500),
    subject=st.none() | ATTRIBUTES,
    causation_id=st.none() | IDS,
    priority=st.sampled_from(Priority),
    not_before=st.none(),
    expires_at=st.none() | TIMES,
    max_attempts=st.none() | st.integers(1, 999),
    run=st.integers(0, 999_999),
    traceparent=st.none() | TRACES,
)


@given(ENVELOPES)
def test_an_event_comes_back_as_it_went(event: Envelope) -> None:
    assert decode(encode(event), event.priority) == event._replace(source="unknown")


@given(st.binary(max_size=400))
def test_bytes_are_an_event_or_undecodable(raw: bytes) -> None:
    _decode_or_refuse(raw)


@given(st.binary(max_size=200))
def test_bytes_behind_the_magic_are_an_event_or_undecodable(tail: bytes) -> None:
    _decode_or_refuse(b"\x89BIN\r\n\x1a\n\x00\x01\x00\x00\x00\x12" + tail)


@given(ENVELOPES, st.data())
def test_an_event_with_a_wrong_byte_is_an_event_or_undecodable(event: Envelope, data: st.DataObject) -> None:
    raw = bytearray(encode(event))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))

    _decode_or_refuse(bytes(raw))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["message_id", "type", "time", "run", "maxattempts", "expires", "source", "subject"])


@given(st.text(max_size=50) | JSON, st.dictionaries(NAMES, JSON) | JSON)
def test_the_older_format_is_an_event_or_undecodable(data: object, headers: object) -> None:
    import json

    _decode_or_refuse(json.dumps({"data": data, "headers": headers}).encode())


def test_a_header_that_is_missing_is_named() -> None:
    with pytest.raises(UndecodableError, match="has no type"):
        decode(pack({"message_id": "x"}, b"{}"), Priority.NORMAL)


def test_an_event_without_a_time_is_of_now() -> None:
    event = decode(pack({"message_id": "x", "type": "T"}, b"{}"), Priority.NORMAL)

    assert datetime.now(UTC) - event.time < timedelta(seconds=5)


def test_the_body_is_the_data_as_it_is() -> None:
    assert encode(envelope(data='{"x":"ü"}')).endswith('{"x":"ü"}'.encode())


def _decode_or_refuse(raw: bytes) -> None:
    try:
        event = decode(raw, Priority.NORMAL)
    except UndecodableError:
        return
    texts = (event.id, event.type, event.source, event.correlation_id, event.data)
    assert all(isinstance(text, str) for text in texts)
    assert event.time.tzinfo is not None
    assert event.expires_at is None or event.expires_at.tzinfo is not None
    assert isinstance(event.run, int)
    assert 0 <= event.run < 2**31
    assert "\x00" not in "".join(texts[:-1])


def test_an_entry_has_the_header_only_where_there_is_a_trace() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-1122334455667788-01"

    assert b"traceparent" not in encode(envelope())
    assert trace.encode() in encode(envelope(traceparent=trace))


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "no trace",
        "00-00000000000000000000000000000000-1122334455667788-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-1122334455667788-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-1122334455667788-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-1122334455667788-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-1122334455667788-01\n",
    ],
)
def test_a_broken_trace_breaks_no_event(broken: str) -> None:
    raw = encode(envelope("x", traceparent=broken))

    read = decode(raw, Priority.NORMAL)

    assert (read.id, read.traceparent) == ("x", None)
