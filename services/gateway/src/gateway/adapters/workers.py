"""The workers, asked over HTTP."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import httpx
from pydantic import SecretStr

from shared.service.problem import unavailable
from shared.service.tracing import calling

TIME_LIMITS = httpx.Timeout(5.0, connect=3.0, pool=3.0)
"""On a node whose CPUs were all busy, one connection in eighty took more than a second."""
WHOLE_SECONDS = 8.0
"""However slowly an answer drips in, it is not waited for longer."""

_REACHED_NOBODY = (httpx.ConnectError, httpx.ConnectTimeout)
_CUT_OFF = (httpx.ReadError, httpx.RemoteProtocolError)

_PASSED_ON = ("content-type", "retry-after", "link")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Workers:
    """The services behind the gateway that this start runs, by name."""

    def __init__(
        self, client: httpx.AsyncClient, addresses: Mapping[str, str], service_key: SecretStr
    ) -> None:
        """`client` needs time limits; it stays the caller's."""
        self._client = client
        self._addresses = addresses
        self._headers = {"Authorization": f"Bearer {service_key.get_secret_value()}"}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._addresses)

    async def ask(self, service: str, method: str, path: str, body: bytes | None = None) -> Answer:
        """Asks a worker as the gateway; `path` is quoted already, and may have a query.

        Where the process that was asked is just going, another is asked, once: for what reached nobody,
        and for a read.

        Raises:
            Problem: 503 while the worker cannot be asked.
        """
        address = self._addresses.get(service)
        if address is None:
            raise unavailable(f"the {service} does not run here")
        try:
            with calling(f"{method} {service}") as trace:
                headers = {**self._headers, **trace}
                if body is not None:
                    headers["Content-Type"] = "application/json"
                request = self._client.build_request(method, address + path, headers=headers, content=body)
                async with asyncio.timeout(WHOLE_SECONDS):
                    answer = await self._send(request)
        except (httpx.HTTPError, TimeoutError):
            raise unavailable(f"the {service} cannot be asked at the moment") from None
        if answer.is_server_error or answer.status_code in _NOT_ITS_ANSWER:
            raise unavailable(f"the {service} cannot answer at the moment")
        passed_on = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
        return Answer(answer.status_code, passed_on, answer.content)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        again = _REACHED_NOBODY if request.method != "GET" else _REACHED_NOBODY + _CUT_OFF
        try:
            return await self._client.send(request)
        except again:
            return await self._client.send(request)

    async def health(self, service: str) -> object:
        """What its /health says, whatever its status. Raises httpx.HTTPError or ValueError."""
        answer = await self._client.get(self._addresses[service] + "/health")
        return answer.json()


_NOT_ITS_ANSWER = {
    HTTPStatus.UNAUTHORIZED,  # our own key is not its key: nothing that the client could mend
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    *range(300, 400),
}
