"""Opaque cursors: where a page ended, sealed so that nobody can make one up."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

_SEAL_BYTES = 16


class ForgedCursorError(ValueError):
    """The cursor is none of ours, or belongs to another list."""


@dataclass(frozen=True, slots=True)
class Position:
    """The last row of a page, in the order of time and id."""

    time: datetime
    id: str


class Cursors:
    """Makes and reads cursors. All gateways that share a secret read each other's."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"cursor:" + secret.encode()).digest()

    def write(self, position: Position, scope: str) -> str:
        """`scope` is the list and its filters: the cursor holds for no other."""
        text = f"{position.time.isoformat()} {position.id}".encode()
        return base64.urlsafe_b64encode(self._seal(text, scope) + text).decode().rstrip("=")

    def read(self, cursor: str, scope: str) -> Position:
        """Raises ForgedCursorError."""
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise ForgedCursorError from None
        seal, text = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(text, scope)):
            raise ForgedCursorError
        time, _, event_id = text.decode().partition(" ")
        return Position(datetime.fromisoformat(time), event_id)

    def _seal(self, text: bytes, scope: str) -> bytes:
        message = scope.encode() + b"\0" + text
        return hmac.new(self._key, message, hashlib.sha256).digest()[:_SEAL_BYTES]
