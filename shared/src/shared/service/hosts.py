"""Which Host headers are answered."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.service.problem import Kind, Problem

PROBED = frozenset({"/livez", "/readyz", "/health", "/metrics"})


class KnownHosts:
    """Answers 400 to a request whose Host header is missing or names none of `hosts`, whatever its port.

    A page of somebody else's could otherwise reach a local service under a name of its own, and a link in
    an answer could lead there. What probes and scrapes ask for is open: they name a service by its address.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        guarded = scope["type"] == "http" and scope["path"] not in PROBED
        if guarded and not self._is_known(Headers(scope=scope).getlist("host")):
            await Problem(Kind.BAD_HOST).response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_known(self, given: list[str]) -> bool:
        if len(given) != 1:
            return False
        name, colon, port = given[0].lower().rpartition(":")
        if not colon or given[0].endswith("]"):
            name, port = given[0].lower(), "80"
        return name in self._hosts and port.isascii() and port.isdecimal()
