"""Leaving without losing a request: who keeps a connection is told so before it is closed."""

from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send


class Farewell:
    """Once it has begun, every answer says `Connection: close`, and the server closes after that answer.

    At SIGTERM uvicorn closes connections that are kept and idle at once. A client that sends in that moment,
    or does not look before it reuses one, loses that request, and what changes something may not be sent
    again without harm everywhere. A connection on which nothing is asked between the two is not told.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._has_begun = False

    def begin(self, *_: object) -> None:
        """Takes whatever a signal gives its handler."""
        self._has_begun = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._has_begun or scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_last(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, send_last)
