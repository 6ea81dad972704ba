"""Counts what is asked over HTTP, by the route's template: a path would hold ids."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.service.metrics.counting import Metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class CountedRequests:
    """A layer around an application. An error that comes out of it counts as 500."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._metrics.answered(method_of(scope), route_of(scope), status, time.perf_counter() - began)


def method_of(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in METHODS else "other"


def route_of(scope: Scope) -> str:
    """The template that the request was routed by: `/v1/orders/{order_id}`; `none` for a path without one."""
    route = scope.get("route")
    return getattr(route, "path", None) or "none"
