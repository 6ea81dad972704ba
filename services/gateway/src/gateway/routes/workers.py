"""What the workers answer, reached through the gateway: each route is a line of the table."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response

from gateway.publication import ID_PATTERN
from gateway.routes.parts import Parts, TheParts
from shared.service.body import check_json, parse_json, read_body
from shared.service.keys import Policy
from shared.service.openapi import problems
from shared.service.problem import Kind, Problem
from shared.service.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Passed:
    """A route that a worker answers: who may use it, and what it does.

    A query is passed on as it is; `query` names what the worker knows of it. A PUT has a body.
    """

    method: str
    path: str
    service: str
    scopes: tuple[str, ...]
    summary: str
    query: tuple[str, ...] = ()

    @property
    def has_body(self) -> bool:
        return self.method == "PUT"


_READ, _WRITE, _MARK = ("events:read", "admin:read"), ("admin:write",), ("events:write", "admin:write")
_NOTICES = "/v1/users/{user_id}/notifications"
_PAGE = ("limit", "cursor")

PASSED = (
    Passed("GET", "/v1/orders/{order_id}", "order-worker", _READ, "One order"),
    Passed("GET", "/v1/payments", "payment-worker", _READ, "The payments of an order", ("order_id",)),
    Passed("GET", "/v1/inventory/{sku}", "inventory-worker", _READ, "The stock of a SKU"),
    Passed("PUT", "/v1/inventory/{sku}", "inventory-worker", _WRITE, "Set the stock of a SKU"),
    Passed("GET", _NOTICES, "notification-worker", _READ, "What a user was told", _PAGE),
    Passed("POST", f"{_NOTICES}/{{notification_id}}/read", "notification-worker", _MARK, "Mark one as read"),
    Passed("GET", "/v1/templates/{key}", "notification-worker", ("admin:read",), "One template"),
    Passed("PUT", "/v1/templates/{key}", "notification-worker", _WRITE, "Set a template"),
)

router = APIRouter(tags=["workers"])

_names = re.compile(r"{(\w+)}")
_problems = problems(
    Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.NOT_FOUND, Kind.CONFLICT, Kind.INVALID, Kind.UNAVAILABLE
)
_body_problems = problems(Kind.NOT_JSON, Kind.TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE)


def _path_of(route: Passed, request: Request) -> str:
    """The path to ask for, its parameters checked and quoted."""

    def value_of(name: re.Match[str]) -> str:
        value: str = request.path_params[name[1]]
        if not re.fullmatch(ID_PATTERN, value) or value in {".", ".."}:
            rule = Refusal(loc=["path", name[1]], type="string_pattern_mismatch", msg="It can be no id")
            raise Problem(Kind.INVALID, errors=[rule])
        return quote(value, safe="")

    path = _names.sub(value_of, route.path)
    return f"{path}?{request.url.query}" if request.url.query else path


def _endpoint(route: Passed) -> Callable[[Request, Parts], Awaitable[Response]]:
    async def pass_on(request: Request, parts: TheParts) -> Response:
        path, body = _path_of(route, request), None
        if route.has_body:
            body = await read_body(request)
            check_json(parse_json(body))
        answer = await parts.workers.ask(route.service, route.method, path, body)
        return Response(answer.body, answer.status, answer.headers)

    return pass_on


def _documentation(route: Passed) -> dict[str, Any]:
    schema = {"type": "string", "pattern": ID_PATTERN}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name in _names.findall(route.path)
    ]
    parameters += [{"name": name, "in": "query", "schema": {"type": "string"}} for name in route.query]
    if not route.has_body:
        return {"parameters": parameters}
    body = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"parameters": parameters, "requestBody": body}


for _route in PASSED:
    router.add_api_route(
        _route.path,
        _endpoint(_route),
        methods=[_route.method],
        name=f"{_route.method} {_route.path}",
        summary=_route.summary,
        description=f"Answered by the {_route.service}.",
        dependencies=[Depends(Policy(*_route.scopes))],
        responses=_problems | _body_problems if _route.has_body else _problems,
        openapi_extra=_documentation(_route),
    )
