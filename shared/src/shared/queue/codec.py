"""An event as the bytes of a stream entry: FastStream's binary envelope, CloudEvents' binary mode.

The attributes are headers and the body is the JSON of the data, so that any FastStream subscriber
reads our entries, and ours reads what any FastStream publisher of the same contract sends.
"""

from datetime import UTC, datetime

from faststream.redis.parser import BinaryMessageFormatV1

from shared.events.envelope import Envelope, Priority

DATA_FIELD = b"__data__"
"""The field of a stream entry that FastStream reads."""


class UndecodableError(ValueError):
    """The bytes are no event: the message says what is wrong with them."""


async def encode(envelope: Envelope) -> bytes:
    """The entry's body. Headers go as bytes: FastStream counts the characters of a text, not its bytes."""
    headers = {
        "message_id": envelope.id,
        "type": envelope.type,
        "source": envelope.source,
        "time": envelope.time.astimezone(UTC).isoformat(timespec="milliseconds"),
        "content-type": "application/json",
    }
    optional = {
        "subject": envelope.subject,
        "causationid": envelope.causation_id,
        "expires": envelope.expires_at.astimezone(UTC).isoformat() if envelope.expires_at else None,
        "maxattempts": None if envelope.max_attempts is None else str(envelope.max_attempts),
        "run": str(envelope.run) if envelope.run else None,
    }
    headers |= {name: value for name, value in optional.items() if value is not None}
    return await BinaryMessageFormatV1.encode(
        message=envelope.data.encode(),
        reply_to=None,
        headers={name: value.encode() for name, value in headers.items()},
        correlation_id=envelope.correlation_id.encode(),  # type: ignore[arg-type]
    )


def decode(raw: bytes, priority: Priority) -> Envelope:
    """What `encode` was given, `not_before` aside, which has passed.

    Raises `UndecodableError`. The data is not looked at: that is the contract's business.
    """
    body, headers = BinaryMessageFormatV1.parse(raw)
    try:
        return Envelope(
            id=headers["message_id"],
            type=headers["type"],
            source=headers.get("source", ""),
            time=datetime.fromisoformat(headers["time"]) if "time" in headers else datetime.now(UTC),
            correlation_id=headers.get("correlation_id", headers["message_id"]),
            data=body.decode(),
            subject=headers.get("subject"),
            causation_id=headers.get("causationid"),
            priority=priority,
            expires_at=datetime.fromisoformat(headers["expires"]) if "expires" in headers else None,
            max_attempts=int(headers["maxattempts"]) if "maxattempts" in headers else None,
            run=int(headers.get("run", "0")),
        )
    except KeyError as error:
        raise UndecodableError(f"the entry has no {error.args[0]}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UndecodableError(f"the entry is no event: {type(error).__name__}") from error
