"""Events are looked at."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.adapters.reader import Page, Selection
from gateway.cursors import Cursors, ForgedCursorError, Position
from gateway.domain import Status
from gateway.publication import ID_PATTERN, EventId, Time
from gateway.routes.parts import TheParts
from gateway.views import EventDetail, EventList, EventType, EventTypeList, Timeline
from shared.events import EVENT_TYPES, QUEUES, json_schema
from shared.events.text import Label
from shared.service.keys import Policy
from shared.service.openapi import problems
from shared.service.problem import Kind, Problem
from shared.service.refusals import Refusal

_refused = problems(Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.INVALID, Kind.UNAVAILABLE)
_not_found = problems(Kind.NOT_FOUND)

router = APIRouter(
    tags=["events"], dependencies=[Depends(Policy("events:read", "admin:read"))], responses=_refused
)

LIMIT = 200


class PageQuery(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=LIMIT)] = 50
    cursor: Annotated[str, Field(max_length=500)] | None = None


class EventsQuery(PageQuery):
    """Which events, and which part of their list."""

    queue: Literal["orders", "payments", "inventory", "notifications"] | None = None
    type: Annotated[str, Field(pattern=ID_PATTERN)] | None = None
    status: Status | None = None
    subject: Label | None = None
    correlation_id: EventId | None = None
    since: Annotated[Time | None, Field(alias="from")] = None
    until: Annotated[Time | None, Field(alias="to")] = None


class TimelineQuery(PageQuery):
    """Which part of a timeline."""

    limit: Annotated[int, Field(ge=1, le=LIMIT)] = LIMIT


@router.get("/v1/events", summary="Events, newest first")
async def list_events(
    query: Annotated[EventsQuery, Query()], request: Request, response: Response, parts: TheParts
) -> EventList:
    """`from` is within the range, `to` is not. A cursor holds for the filters that it came with."""
    selection = Selection(
        queue=query.queue,
        type=query.type,
        status=query.status,
        subject=query.subject,
        correlation_id=query.correlation_id,
        since=query.since,
        until=query.until,
    )
    page = Page(limit=query.limit, after=_position(query, request, parts.cursors))
    active = await parts.activity.of([query.queue] if query.queue else QUEUES)
    items, more = await parts.reader.page(selection, page, active)
    _link(more, request, response, parts.cursors)
    return EventList(items=items)


@router.get("/v1/events/{event_id}", responses=_not_found, summary="One event")
async def show_event(event_id: Annotated[str, Path(pattern=ID_PATTERN)], parts: TheParts) -> EventDetail:
    """With its data, its tries, what caused it and what it caused."""
    event = await parts.reader.detail(event_id, await parts.activity.of(QUEUES))
    if event is None:
        raise Problem(Kind.NOT_FOUND)
    return event


@router.get("/v1/timeline/{correlation_id}", summary="One story, oldest event first")
async def show_timeline(
    correlation_id: Annotated[str, Path(pattern=ID_PATTERN)],
    query: Annotated[TimelineQuery, Query()],
    request: Request,
    response: Response,
    parts: TheParts,
) -> Timeline:
    """Everything that one order set in motion, across the services."""
    page = Page(limit=query.limit, after=_position(query, request, parts.cursors), oldest_first=True)
    active = await parts.activity.of(QUEUES)
    items, more = await parts.reader.page(Selection(correlation_id=correlation_id), page, active)
    _link(more, request, response, parts.cursors)
    return Timeline(correlation_id=correlation_id, items=items)


@router.get("/v1/event-types", summary="Every event type and its contract")
async def list_event_types() -> EventTypeList:
    types = [
        EventType.model_validate(
            {
                "type": name,
                "queue": contract.queue,
                "internal": contract.internal,
                "max_attempts": contract.max_attempts,
                "schema": json_schema(name),
            }
        )
        for name, contract in EVENT_TYPES.items()
    ]
    return EventTypeList(items=types)


@router.get("/v1/event-types/{type_name}", responses=_not_found, summary="The JSON Schema of one type's data")
async def show_event_type(type_name: Annotated[str, Path(pattern=ID_PATTERN)]) -> dict[str, Any]:
    if type_name not in EVENT_TYPES:
        raise Problem(Kind.NOT_FOUND)
    return json_schema(type_name)


def _filters(request: Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]


def _scope(request: Request) -> str:
    """What a cursor holds for: the list and its filters, whatever the size of its pages."""
    return urlencode(
        [("", request.url.path), *sorted(pair for pair in _filters(request) if pair[0] != "limit")]
    )


def _position(query: PageQuery, request: Request, cursors: Cursors) -> Position | None:
    if query.cursor is None:
        return None
    try:
        return cursors.read(query.cursor, _scope(request))
    except ForgedCursorError:
        rule = Refusal(loc=["query", "cursor"], type="cursor", msg="It is no cursor of this list")
        raise Problem(Kind.INVALID, errors=[rule]) from None


def _link(more: Position | None, request: Request, response: Response, cursors: Cursors) -> None:
    if more:
        query = urlencode([*_filters(request), ("cursor", cursors.write(more, _scope(request)))])
        response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
