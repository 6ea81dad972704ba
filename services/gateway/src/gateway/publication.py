"""What a client may ask to be published: from JSON to an entry for the journal."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from gateway.domain import LATEST, Entry, fingerprint_of, is_timely
from shared.events import EVENT_TYPES, Envelope, Event, Priority, new_id, parse
from shared.events.text import Label
from shared.events.trace import present_traceparent
from shared.service.body import BODY_LIMIT, check_json, not_an_object, validated
from shared.service.keys import Principal
from shared.service.problem import Kind, Problem, ProblemBody
from shared.service.refusals import Refusal, refusals_of
from shared.service.strict_json import write

ID_PATTERN = r"^[A-Za-z0-9._:-]{1,64}$"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def _as_utc(value: object) -> object:
    if not isinstance(value, str):
        return value
    with suppress(ValueError, OverflowError):  # at the ends of the calendar a change of zone overflows
        if _RFC3339.fullmatch(value):
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
    raise PydanticCustomError("time", "It has to be a time with its zone, as in RFC 3339")


Time = Annotated[
    AwareDatetime,
    BeforeValidator(_as_utc),
    Field(description="RFC 3339, with its zone"),
]
EventId = Annotated[str, Field(pattern=ID_PATTERN)]


class NewEvent(BaseModel):
    """An event to be published; `data` is checked against the contract of its type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    type: str
    data: dict[str, JsonValue]
    id: EventId | None = None
    subject: Label | None = None
    correlation_id: EventId | None = None
    delay_ms: Annotated[int, Field(ge=0, le=int(LATEST.total_seconds()) * 1000)] | None = None
    not_before: Time | None = None
    priority: Priority = Priority.NORMAL
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    expires_at: Time | None = None


def read_entry(value: Any, principal: Principal, now: datetime) -> Entry:
    """The entry for one event of a body.

    Raises:
        Problem: 413, 422, or 403 where the type is not for this principal to publish.
    """
    check_json(value)
    if not isinstance(value, dict):
        raise not_an_object()
    text = write(value)
    if len(text.encode()) > BODY_LIMIT:
        raise Problem(Kind.TOO_LARGE, f"an event may have at most {BODY_LIMIT} bytes")
    asked = validated(NewEvent, text)
    contract = EVENT_TYPES.get(asked.type)
    if contract is None:
        raise _refused("type", "unknown_type", "There is no such event type")
    _check_scope(contract, principal)
    data = write(cast("dict[str, Any]", value)["data"])
    event = _parse(contract, data)
    event_id = asked.id or new_id()
    envelope = Envelope(
        id=event_id,
        type=contract.type,
        source=f"client/{principal.name}",
        time=now,
        correlation_id=asked.correlation_id or event.correlation() or event_id,
        data=data,
        subject=asked.subject or event.subject(),
        priority=asked.priority,
        not_before=_due(asked, now),
        expires_at=asked.expires_at,
        max_attempts=asked.max_attempts,
        traceparent=present_traceparent(),
    )
    untimely = None if is_timely(envelope, now) else _untimely()
    return Entry(envelope, contract.queue, fingerprint_of(value), untimely)


def _check_scope(contract: type[Event], principal: Principal) -> None:
    allowed = [f"events:write:{contract.type}", "admin:write"]
    if not contract.internal:
        allowed.append("events:write")
    if not principal.may(*allowed):
        raise Problem(Kind.FORBIDDEN, "this key may not publish events of this type")


def _parse(contract: type[Event], data: str) -> Event:
    try:
        return parse(contract.type, data)
    except ValidationError as error:
        raise Problem(Kind.INVALID, errors=refusals_of(error, contract, at=("data",))) from None


def _due(asked: NewEvent, now: datetime) -> datetime | None:
    """When it is to run, None for at once."""
    if asked.delay_ms is not None and asked.not_before is not None:
        raise _refused("not_before", "two_times", "Either delay_ms or not_before can be given")
    return now + timedelta(milliseconds=asked.delay_ms) if asked.delay_ms else asked.not_before


def _untimely() -> ProblemBody:
    return Problem(Kind.INVALID, "not_before or expires_at lies in the past or too far ahead").body


def _refused(field: str, rule: str, message: str) -> Problem:
    return Problem(Kind.INVALID, errors=[Refusal(loc=[field], type=rule, msg=message)])
