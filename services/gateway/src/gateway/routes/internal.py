"""What the services ask the gateway for; nothing here is meant for clients."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from gateway.adapters.api_keys import SERVICE
from gateway.routes.parts import TheParts
from shared.service.body import read_body, validated
from shared.service.keys import PRINCIPAL_PATH, Policy, Principal, PrincipalBody
from shared.service.openapi import json_body, problems
from shared.service.problem import Kind
from shared.store.reports import HANDOVER_PATH, HandOverBatch

router = APIRouter(
    tags=["internal"], responses=problems(Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.UNAVAILABLE)
)

HANDOVER_LIMIT = 64 * 1024 * 1024
"""In bytes: a batch may hold dead letters of several MB each, in base64."""


@router.post(
    HANDOVER_PATH,
    status_code=204,
    dependencies=[Depends(Policy(SERVICE))],
    responses=problems(Kind.NOT_JSON, Kind.TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE, Kind.INVALID),
    openapi_extra=json_body(HandOverBatch),
    summary="Take over events, tries and outcomes from a worker",
)
async def take_over(request: Request, parts: TheParts) -> Response:
    """All of it or nothing is committed; the same batch again changes nothing."""
    raw = await read_body(request, HANDOVER_LIMIT)
    await parts.take_over.take(validated(HandOverBatch, raw))
    return Response(status_code=204)


@router.get(PRINCIPAL_PATH, summary="Who holds the key of this request")
async def show_principal(principal: Annotated[Principal, Depends(Policy())]) -> PrincipalBody:
    return PrincipalBody(name=principal.name, scopes=sorted(principal.scopes))
