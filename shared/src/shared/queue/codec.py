"""An event as the bytes of a stream entry: FastStream's binary envelope, CloudEvents' binary mode.

The attributes are headers and the body is the JSON of the data, so that any FastStream subscriber
reads our entries, and ours reads what any FastStream publisher of the same contract sends.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from struct import Struct
from struct import error as StructError  # noqa: N812 an exception under its right name
from typing import Any

from faststream.redis.parser import BinaryMessageFormatV1

from shared.events import Envelope, Priority
from shared.events.trace import is_traceparent

DATA_FIELD = b"__data__"
"""The field of a stream entry that FastStream reads."""

# FastStream's format, version 1: magic, version, where the headers and where the data begin, how
# many headers; then for each its name and its value, each behind its length; then the data.
_MAGIC = b"\x89BIN\r\n\x1a\n"
_START = Struct(">8sHIIH")
_LENGTH = Struct(">H")
_HEADERS_AT = 18
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class UndecodableError(ValueError):
    """The bytes are no event: the message says what is wrong with them."""


class EntryFormat(BinaryMessageFormatV1):
    """FastStream's own format, read about five times as fast; a contract test holds the two together.

    What is not in it (an older format, raw JSON) is left to FastStream.
    """

    @classmethod
    def parse(cls, data: bytes) -> tuple[bytes, dict[str, Any]]:
        try:
            magic, version, headers_at, data_at, count = _START.unpack_from(data)
            if magic != _MAGIC or version != 1 or headers_at != _HEADERS_AT:
                return super().parse(data)
            headers: dict[str, Any] = {}
            at, length_at = _START.size, _LENGTH.unpack_from
            for _ in range(count):
                end = at + 2 + length_at(data, at)[0]
                value_end = end + 2 + length_at(data, end)[0]
                headers[data[at + 2 : end].decode()] = data[end + 2 : value_end].decode()
                at = value_end
            if "message_id" in headers:
                headers.setdefault("correlation_id", headers["message_id"])
            return data[data_at:], headers
        except (ValueError, StructError):
            return super().parse(data)


def encode(envelope: Envelope) -> bytes:
    """The entry's body. What no worker needs is left out: Redis holds it as often as events wait."""
    headers = {
        "message_id": envelope.id,
        "type": envelope.type,
        "time": str((envelope.time - _EPOCH) // _MILLISECOND),
    }
    if envelope.correlation_id != envelope.id:
        headers["correlation_id"] = envelope.correlation_id
    if envelope.subject is not None:
        headers["subject"] = envelope.subject
    if envelope.causation_id is not None:
        headers["causationid"] = envelope.causation_id
    if envelope.expires_at is not None:
        headers["expires"] = envelope.expires_at.astimezone(UTC).isoformat()
    if envelope.max_attempts is not None:
        headers["maxattempts"] = str(envelope.max_attempts)
    if envelope.run:
        headers["run"] = str(envelope.run)
    if envelope.traceparent is not None:
        headers["traceparent"] = envelope.traceparent
    return pack(headers, envelope.data.encode())


def pack(headers: Mapping[str, str], body: bytes) -> bytes:
    """A message in FastStream's format, whose own writer counts a text's characters, not its bytes."""
    parts = [b""]
    for name, value in headers.items():
        for text in (name.encode(), value.encode()):
            parts += (_LENGTH.pack(len(text)), text)
    packed = b"".join(parts)
    return _START.pack(_MAGIC, 1, _HEADERS_AT, _START.size + len(packed), len(headers)) + packed + body


def envelope_of(body: bytes, headers: Mapping[str, str], priority: Priority) -> Envelope:
    """What `encode` was given, but for `not_before`, which has passed, and `source`, which is in the journal.

    Raises `UndecodableError`, also for attributes that no database could keep: anybody may have written
    the entry. The data is not looked at: that is the contract's business.
    """
    try:
        given = headers.get  # what another format calls headers may be anything
        event_id = headers["message_id"]
        if not _ID.fullmatch(event_id):
            raise UndecodableError("the entry's message_id is no event's id")
        time, expires, attempts, run = given("time"), given("expires"), given("maxattempts"), given("run")
        trace = given("traceparent")
        return Envelope(
            id=event_id,
            type=_plain(headers["type"]),
            source=_plain(given("source", "unknown")),
            time=_time(time) if time else datetime.now(UTC),
            correlation_id=_plain(given("correlation_id", event_id)),
            data=body.decode(),
            subject=_plain(headers["subject"]) if "subject" in headers else None,
            causation_id=_plain(headers["causationid"]) if "causationid" in headers else None,
            priority=priority,
            expires_at=_aware(expires) if expires else None,
            max_attempts=_small(attempts) if attempts else None,
            run=_small(run) if run else 0,
            traceparent=trace if trace and is_traceparent(trace) else None,  # a broken one breaks no event
        )
    except KeyError as error:
        raise UndecodableError(f"the entry has no {error.args[0]}") from error
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UndecodableError(f"the entry is no event: {type(error).__name__}") from error


def decode(raw: bytes, priority: Priority) -> Envelope:
    """The event in an entry's body. Raises `UndecodableError`."""
    return envelope_of(*EntryFormat.parse(raw), priority)


_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,6}")
_ATTRIBUTE_CHARACTERS = 1_000  # more than any route takes


def _plain(text: str) -> str:
    if not text or len(text) > _ATTRIBUTE_CHARACTERS or "\x00" in text:
        raise ValueError("an attribute out of bounds")
    text.encode()  # a lone surrogate, which FastStream's older format can hold, raises a ValueError
    return text


def _small(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError("a number out of bounds")
    return int(text)


_MILLISECONDS = re.compile(r"[0-9]{1,15}")


def _time(text: str) -> datetime:
    """Milliseconds since 1970 as we write them, or RFC 3339 as others do."""
    if _MILLISECONDS.fullmatch(text):
        return _EPOCH + int(text) * _MILLISECOND
    return _aware(text)


def _aware(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time.astimezone(UTC)
