"""Calls to another service, bounded in time and size however it behaves."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import httpx

from shared.service.tracing import calling

_NOT_REACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Raised before a byte of the request has left."""


class NotReachedError(Exception):
    """No connection was made: the other side knows nothing of the call."""


class NoAnswerError(Exception):
    """The call may have arrived, and no answer that can be used has come back."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class Caller:
    """Calls one service. It follows no redirect, heeds no proxy, and takes no compressed answer.

    Its errors hold nothing of what was sent or answered.
    """

    def __init__(
        self,
        base_url: str,
        *,
        seconds: float,
        most_bytes: int,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """A call takes at most `seconds`, however slowly its answer drips in, and `most_bytes` of it."""
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._client = httpx.AsyncClient(
            base_url=base_url,
            # less than the whole, so that a server that is not there is told from one that does not answer
            timeout=httpx.Timeout(seconds, connect=min(2.0, seconds / 2), pool=seconds / 2),
            headers={"Accept-Encoding": "identity", **headers},
            follow_redirects=False,
            trust_env=False,
        )

    async def ask(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        within: float | None = None,
    ) -> Answer:
        """What it answers, whatever the status; `within` shortens the time.

        Raises NotReachedError, NoAnswerError.
        """
        host = self._client.base_url.host
        try:
            with calling(f"{method} {host}", **{"url.path": path}) as trace:
                request = self._client.build_request(method, path, json=json, headers={**headers, **trace})
                async with asyncio.timeout(within or self._seconds):
                    return await self._send(request)
        except _NOT_REACHED as error:
            raise NotReachedError(f"it cannot be reached ({type(error).__name__})") from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise NoAnswerError(f"no answer ({type(error).__name__})") from None

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _send(self, request: httpx.Request) -> Answer:
        answer = await self._client.send(request, stream=True)
        try:
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise NoAnswerError("the answer is compressed")
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > self._most_bytes:
                    raise NoAnswerError(f"the answer is longer than {self._most_bytes} bytes")
        finally:
            await answer.aclose()
        return Answer(answer.status_code, bytes(body))
