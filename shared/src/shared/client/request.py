"""What the client says to `POST /v1/events`, and what it hears."""

import json
from datetime import datetime, timedelta
from typing import TypedDict

from pydantic import BaseModel, ConfigDict

from shared.events import Event, Priority


class DeliveryOptions(TypedDict, total=False):
    """How an event is to be delivered. What is left out or None, the gateway decides.

    `delay` counts from the gateway's acceptance, in whole milliseconds; it excludes `not_before`. Times
    are aware.
    """

    correlation_id: str | None
    delay: timedelta | None
    not_before: datetime | None
    priority: Priority | None
    max_attempts: int | None
    expires_at: datetime | None


class PublishOptions(DeliveryOptions, total=False):
    """How one event is to be delivered, and under which id: one that the shop chose, or a new UUIDv7."""

    id: str | None


class Published(BaseModel):
    """The gateway's word that it has the event for good.

    `duplicate` says that it had it before: from an earlier call with this id, or from an earlier try of
    this call whose answer was lost.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    type: str
    queue: str
    status: str
    duplicate: bool


def encode(event: Event, event_id: str, options: DeliveryOptions) -> bytes:
    """The body of the request: the same bytes for the same arguments."""
    delay = options.get("delay")
    not_before, expires_at = options.get("not_before"), options.get("expires_at")
    body = {
        "type": event.type,
        "data": event.to_data(),
        "id": event_id,
        "correlation_id": options.get("correlation_id"),
        "delay_ms": None if delay is None else delay // timedelta(milliseconds=1),
        "not_before": None if not_before is None else not_before.isoformat(),
        "priority": options.get("priority"),
        "max_attempts": options.get("max_attempts"),
        "expires_at": None if expires_at is None else expires_at.isoformat(),
    }
    given = {name: value for name, value in body.items() if value is not None}
    return json.dumps(given, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
