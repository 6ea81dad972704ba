"""Publishing over HTTP: an event is published once, however often the network loses the answer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Final, Self, Unpack

import httpx
from pydantic import ValidationError

from shared.client.errors import GatewayUnavailableError, Problem, PublishError, PublishRefusedError
from shared.client.request import DeliveryOptions, Published, PublishOptions, encode
from shared.client.retry import RETRIED, RetryPolicy, retry_after
from shared.client.typed import TypedPublishing
from shared.events import Event, new_id

_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_TIMEOUT: Final = httpx.Timeout(connect=5, write=10, read=15, pool=10)
_RETRY: Final = RetryPolicy()
# Whether the gateway got the event is open: nothing came, or nothing that can be read.
_LOST: Final = (
    TimeoutError,
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    httpx.ProxyError,
    httpx.DecodingError,
)


@dataclass(frozen=True, slots=True)
class _Unsettled:
    """A try after which another may follow."""

    reason: str
    status: int | None = None
    retry_after: timedelta | None = None


class EventPublisher(TypedPublishing):
    """Publishes events through the gateway, for one API key; safe for many tasks of one event loop.

    Every event gets its id here, before the first try, so trying again never publishes twice. Tries are
    repeated after lost connections, time-outs and the answers 429, 502, 503 and 504, as `retry` says.
    `timeout` limits the steps of one try. Redirects are not followed.

        async with EventPublisher("http://127.0.0.1:8000", key) as publisher:
            await publisher.publish_order_shipped(order_id="1042", carrier="DHL", tracking_number="0034")
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        retry: RetryPolicy = _RETRY,
        timeout: httpx.Timeout = _TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if httpx.URL(base_url).scheme not in {"http", "https"}:
            raise ValueError("the gateway's address begins with http:// or https://")
        self._retry = retry
        self._sleep = sleep
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=timeout,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections; nothing can be published afterwards."""
        await self._http.aclose()

    async def publish(self, event: Event, **options: Unpack[PublishOptions]) -> Published:
        """Returns once the gateway has the event for good.

        Raises `PublishRefusedError` if it will not take it, `GatewayUnavailableError` if that stays open
        until the deadline: then the event may be published again with the error's `id`.
        """
        event_id = options.get("id") or new_id()
        content = encode(event, event_id, options)
        clock = asyncio.get_running_loop().time
        ends = clock() + self._retry.deadline.total_seconds()
        tries = 0
        while True:
            tries += 1
            answer = await self._try(event_id, content, ends)
            if isinstance(answer, Published):
                return answer
            pause = self._retry.wait(tries, answer.retry_after).total_seconds()
            if clock() + pause >= ends:
                raise GatewayUnavailableError(
                    f"not settled after {tries} tries: {answer.reason}", id=event_id, status=answer.status
                )
            await self._sleep(pause)

    async def publish_many(
        self, events: Iterable[Event], *, concurrency: int = 16, **options: Unpack[DeliveryOptions]
    ) -> list[Published | PublishError]:
        """Publishes each event by itself; the answers, or errors, stand in the order of the events.

        Once the gateway is found unavailable, the rest is not tried and bears that error too.
        """
        answers: dict[int, Published | PublishError] = {}
        waiting = iter(enumerate(events))
        down = False

        async def work() -> None:
            nonlocal down
            for place, event in waiting:
                event_id = new_id()
                if down:
                    answers[place] = GatewayUnavailableError("not tried", id=event_id)
                    continue
                try:
                    answers[place] = await self.publish(event, **options, id=event_id)
                except PublishError as error:
                    answers[place] = error
                    down = down or isinstance(error, GatewayUnavailableError)

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
        return [answers[place] for place in sorted(answers)]

    async def _try(self, event_id: str, content: bytes, ends: float) -> Published | _Unsettled:
        try:
            async with asyncio.timeout_at(ends):
                response = await self._http.post("/v1/events", content=content, headers=_JSON)
        except _LOST as error:
            return _Unsettled(type(error).__name__)
        status = response.status_code
        if status in RETRIED:
            return _Unsettled(f"answer {status}", status, retry_after(response.headers.get("Retry-After")))
        if response.is_success:
            try:
                return Published.model_validate_json(response.content)
            except ValidationError:
                return _Unsettled("unreadable answer", status)
        if response.is_server_error:
            raise GatewayUnavailableError(f"answer {status}", id=event_id, status=status)
        raise PublishRefusedError(_problem(response), id=event_id, status=status)


def _problem(response: httpx.Response) -> Problem:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        return Problem(title=response.reason_phrase)
