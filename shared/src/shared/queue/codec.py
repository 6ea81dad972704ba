"""An event as the bytes of a stream entry: FastStream's binary envelope, CloudEvents' binary mode.

The attributes are headers and the body is the JSON of the data, so that any FastStream subscriber
reads our entries, and ours reads what any FastStream publisher of the same contract sends.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from struct import Struct
from struct import error as StructError  # noqa: N812 an exception under its right name
from typing import Any

from faststream.redis.parser import BinaryMessageFormatV1

from shared.events import Envelope, Priority

DATA_FIELD = b"__data__"
"""The field of a stream entry that FastStream reads."""

# FastStream's format, version 1: magic, version, where the headers and where the data begin, how
# many headers; then for each its name and its value, each behind its length; then the data.
_MAGIC = b"\x89BIN\r\n\x1a\n"
_START = Struct(">8sHIIH")
_LENGTH = Struct(">H")
_HEADERS_AT = 18


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
            return data[data_at:], headers
        except (ValueError, StructError):
            return super().parse(data)


def encode(envelope: Envelope) -> bytes:
    """The entry's body."""
    headers = {
        "correlation_id": envelope.correlation_id,
        "content-type": "application/json",
        "message_id": envelope.id,
        "type": envelope.type,
        "source": envelope.source,
        "time": envelope.time.astimezone(UTC).isoformat(timespec="milliseconds"),
    }
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
    return pack(headers, envelope.data.encode())


def pack(headers: Mapping[str, str], body: bytes) -> bytes:
    """A message in FastStream's format, whose own writer counts a text's characters, not its bytes."""
    parts = [b""]
    for name, value in headers.items():
        for text in (name.encode(), value.encode()):
            parts += (_LENGTH.pack(len(text)), text)
    packed = b"".join(parts)
    return _START.pack(_MAGIC, 1, _HEADERS_AT, _START.size + len(packed), len(headers)) + packed + body


def decode(raw: bytes, priority: Priority) -> Envelope:
    """What `encode` was given, `not_before` aside, which has passed.

    Raises `UndecodableError`, also for attributes that no database could keep: anybody may have written
    the entry. The data is not looked at: that is the contract's business.
    """
    body, headers = EntryFormat.parse(raw)
    try:
        return Envelope(
            id=_matching(_ID, headers["message_id"]),
            type=_matching(_ATTRIBUTE, headers["type"]),
            source=_matching(_ATTRIBUTE, headers.get("source", "unknown")),
            time=_aware(headers["time"]) if "time" in headers else datetime.now(UTC),
            correlation_id=_matching(_ATTRIBUTE, headers.get("correlation_id", headers["message_id"])),
            data=body.decode(),
            subject=_matching(_ATTRIBUTE, headers["subject"]) if "subject" in headers else None,
            causation_id=_matching(_ATTRIBUTE, headers["causationid"]) if "causationid" in headers else None,
            priority=priority,
            expires_at=_aware(headers["expires"]) if "expires" in headers else None,
            max_attempts=_small(headers["maxattempts"]) if "maxattempts" in headers else None,
            run=_small(headers.get("run", "0")),
        )
    except KeyError as error:
        raise UndecodableError(f"the entry has no {error.args[0]}") from error
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UndecodableError(f"the entry is no event: {type(error).__name__}") from error


_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_ATTRIBUTE = re.compile(r"[^\x00-\x1f\x7f]{1,300}")
_NUMBER = re.compile(r"[0-9]{1,6}")


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError("an attribute out of bounds")
    return text


def _small(text: str) -> int:
    return int(_matching(_NUMBER, text))


def _aware(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time.astimezone(UTC)
