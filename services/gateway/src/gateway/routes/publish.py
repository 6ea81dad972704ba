"""Events come in."""

import re
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from gateway.domain import Receipt
from gateway.publication import NewEvent
from gateway.routes.parts import TheParts
from shared.service.body import BODY_LIMIT, parse_json, read_body
from shared.service.keys import Policy, Principal
from shared.service.openapi import json_body, problems
from shared.service.problem import Kind, Problem, ProblemBody

router = APIRouter(tags=["events"])

BATCH_EVENTS = 1_000
BATCH_LIMIT = 8 * 1024 * 1024
"""Of a whole batch, in bytes; each of its events has the limit of a single one besides."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")

Publisher = Annotated[Principal, Depends(Policy("events:write", "events:write:*", "admin:write"))]


class Refused(BaseModel):
    """An event of a batch that was not accepted."""

    problem: ProblemBody


class BatchReceipt(BaseModel):
    """A result for each event of a batch, in its order."""

    items: list[Receipt | Refused]


def _idempotency_key(
    request: Request, idempotency_key: Annotated[str | None, Header(description=_KEY.pattern)] = None
) -> str | None:
    if idempotency_key is None:
        return None
    if len(request.headers.getlist("idempotency-key")) > 1 or not _KEY.fullmatch(idempotency_key):
        raise Problem(
            Kind.BAD_IDEMPOTENCY_KEY, "it has to be one header of 1 to 255 visible ASCII characters"
        )
    return idempotency_key


Key = Annotated[str | None, Depends(_idempotency_key)]

_refusals = problems(
    Kind.NOT_JSON,
    Kind.BAD_IDEMPOTENCY_KEY,
    Kind.UNAUTHENTICATED,
    Kind.FORBIDDEN,
    Kind.ID_CONFLICT,
    Kind.KEY_IN_USE,
    Kind.TOO_LARGE,
    Kind.UNSUPPORTED_MEDIA_TYPE,
    Kind.INVALID,
    Kind.KEY_REUSED,
    Kind.UNAVAILABLE,
)


@router.post(
    "/v1/events",
    status_code=202,
    response_model=Receipt,
    responses=_refusals,
    openapi_extra=json_body(NewEvent),
    summary="Publish an event",
)
async def publish_event(principal: Publisher, key: Key, request: Request, parts: TheParts) -> JSONResponse:
    """The answer means that the event is in the journal, and so will not be lost."""
    value = parse_json(await read_body(request, BODY_LIMIT))
    result = await parts.publishing.publish(value, principal, key)
    if isinstance(result, ProblemBody):
        return result.response()
    return JSONResponse(result.model_dump(mode="json"), 202)


@router.post(
    "/v1/events/batch",
    status_code=202,
    response_model=BatchReceipt,
    responses=_refusals,
    openapi_extra=json_body(NewEvent, many=BATCH_EVENTS),
    summary="Publish many events in one commit",
)
async def publish_batch(principal: Publisher, key: Key, request: Request, parts: TheParts) -> JSONResponse:
    """Each event is judged by itself: what is valid is accepted, what is not carries its problem."""
    value = parse_json(await read_body(request, BATCH_LIMIT))
    if not isinstance(value, list) or not 1 <= len(cast("list[Any]", value)) <= BATCH_EVENTS:
        raise Problem(Kind.INVALID, f"the body has to be an array of 1 to {BATCH_EVENTS} events")
    results = await parts.publishing.publish_batch(cast("list[Any]", value), principal, key)
    items = [Refused(problem=result) if isinstance(result, ProblemBody) else result for result in results]
    return JSONResponse(BatchReceipt(items=items).model_dump(mode="json", exclude_none=True), 202)
