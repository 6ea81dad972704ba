"""What the demo asks of the system: as any shop would, over HTTP with a key."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel

from local_start.demo.samples import Stock
from local_start.errors import LocalStartError
from shared.client import EventPublisher, PublishError
from shared.events import Event

Model = TypeVar("Model", bound=BaseModel)

_PATIENCE = 15.0  # seconds in which a service that was killed is back
_POLL = 0.2  # seconds


class Happening(BaseModel):
    """An event of a timeline."""

    id: str
    type: str
    status: str
    causation_id: str | None
    time: datetime
    ended_at: datetime | None
    reason: str | None

    @property
    def has_ended(self) -> bool:
        return self.status in {"completed", "dead", "cancelled", "expired"}


class _Timeline(BaseModel):
    items: list[Happening]


class _Detail(BaseModel):
    data: dict[str, Any] | None


class _Order(BaseModel):
    status: str


class StockLevel(BaseModel):
    sku: str
    on_hand: int
    reserved: int
    available: int
    low_stock_threshold: int


class LedgerEntry(BaseModel):
    """What really happened to money, by the provider's own word."""

    kind: str
    order_id: str
    amount: int
    currency: str


class _Ledger(BaseModel):
    entries: list[LedgerEntry]


class _Address(BaseModel):
    Address: str


class MailTaken(BaseModel):
    """A mail that really arrived, by the mail server's own word."""

    ID: str
    From: _Address
    To: list[_Address]
    Subject: str
    Text: str


class _Mails(BaseModel):
    messages: list[MailTaken]


class Asking:
    """Asks the gateway at `url` with this key, and the stand-ins where there are any."""

    def __init__(self, url: str, key: str, *, provider: str | None, mails: str | None) -> None:
        self._url, self._provider, self._mails = url, provider, mails
        self._publisher = EventPublisher(url, key)
        self._client = httpx.AsyncClient(
            trust_env=False, timeout=5.0, headers={"Authorization": f"Bearer {key}"}
        )
        self._outside = httpx.AsyncClient(trust_env=False, timeout=5.0)  # the key is the gateway's alone

    async def __aenter__(self) -> Self:
        await self._publisher.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()
        await self._outside.aclose()
        await self._publisher.__aexit__(kind, error, trace)

    async def publish(self, event: Event, correlation_id: str) -> None:
        try:
            await self._publisher.publish(event, correlation_id=correlation_id)
        except PublishError as error:
            raise LocalStartError(f"{event.type} was not published: {error}") from None

    async def timeline(self, correlation_id: str) -> Sequence[Happening]:
        path = f"{self._url}/v1/timeline/{correlation_id}"
        return (await self._get(self._client, path, _Timeline, limit=200)).items

    async def data_of(self, event_id: str) -> Mapping[str, Any] | None:
        """What an event says; None while the gateway has only heard of its outcome."""
        return (await self._get(self._client, f"{self._url}/v1/events/{event_id}", _Detail)).data

    async def status_of(self, order_id: str) -> str:
        return (await self._get(self._client, f"{self._url}/v1/orders/{order_id}", _Order)).status

    async def stock_of(self, sku: str) -> StockLevel:
        return await self._get(self._client, f"{self._url}/v1/inventory/{sku}", StockLevel)

    async def fill(self, stock: Stock) -> None:
        """Lets so many of the SKU be available, whatever earlier orders hold."""
        path = f"{self._url}/v1/inventory/{stock.sku}"
        known = await self._answer(self._client, "GET", path)
        held = StockLevel.model_validate_json(known.content).reserved if known.is_success else 0
        wanted = {"on_hand": held + stock.available, "low_stock_threshold": stock.threshold}
        answer = await self._answer(self._client, "PUT", path, json=wanted)
        if not answer.is_success:
            raise LocalStartError(f"the stock of {stock.sku} was not set: answer {answer.status_code}")

    async def ledger(self) -> Sequence[LedgerEntry] | None:
        """What the provider that stands in has done, oldest first; None where it is another one."""
        if self._provider is None:
            return None
        return (await self._get(self._outside, f"{self._provider}/v1/ledger", _Ledger)).entries

    async def mails(self) -> Sequence[MailTaken] | None:
        """The mails that went out, newest first; None where they go to another server."""
        if self._mails is None:
            return None
        return (await self._get(self._outside, f"{self._mails}/api/v1/messages", _Mails)).messages

    async def _get(self, client: httpx.AsyncClient, url: str, model: type[Model], **query: int) -> Model:
        answer = await self._answer(client, "GET", url, params=query)
        if not answer.is_success:
            raise LocalStartError(f"{url} answers {answer.status_code}")
        return model.model_validate_json(answer.content)

    async def _answer(self, client: httpx.AsyncClient, method: str, url: str, **rest: Any) -> httpx.Response:
        """The answer to a request that may be repeated; a service that is started again is waited for."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            try:
                answer = await client.request(method, url, **rest)
                reason = f"it answers {answer.status_code}"
                if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                    return answer
            except httpx.TransportError as error:
                reason = type(error).__name__
            if asyncio.get_running_loop().time() > deadline:
                raise LocalStartError(f"no answer from {url}: {reason}")
            await asyncio.sleep(_POLL)
