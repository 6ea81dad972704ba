"""A span for each request. Imported only where traces are wanted."""

from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.events.trace import is_traceparent
from shared.service.hosts import PROBED
from shared.service.metrics.http import method_of, route_of
from shared.service.tracing.spans import Tracing

SERVER_ERROR = 500


class TracedRequests:
    """A layer around an application. Probes and what the services tell each other have no trace."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBED or scope["path"].startswith("/internal/"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("traceparent", "")
        parent = given if is_traceparent(given) else None
        method, status = method_of(scope), SERVER_ERROR

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        facts = {"http.request.method": method}
        with self._tracing.span(method, SpanKind.SERVER, parent=parent, attributes=facts) as span:
            try:
                await self._app(scope, receive, sending)
            finally:
                route = route_of(scope)
                span.rename(f"{method} {route}")
                span.tell({"http.route": route, "http.response.status_code": status})
                if status >= SERVER_ERROR:
                    span.failed(str(status))
