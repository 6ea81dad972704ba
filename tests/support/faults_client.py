"""A client of the gateway that keeps on trying, and remembers what was accepted."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from shared.events import (
    Customer,
    Event,
    OrderCreated,
    OrderLine,
    SendEmail,
    new_id,
)

ACCEPTED, UNAVAILABLE = 202, 503
PATIENCE = 60.0
"""Seconds that `publish` goes on trying."""


@dataclass
class History:
    """What the world outside knows; the threads of a test share it."""

    accepted: dict[str, Event] = field(default_factory=dict[str, Event])
    """By id: what a 202 was received for."""
    offered: set[str] = field(default_factory=set[str])
    """The ids of all that was ever sent to the gateway."""
    answers: Counter[str] = field(default_factory=Counter[str])
    """Statuses, and the names of errors where there was no answer."""
    wrong: list[str] = field(default_factory=list[str])
    """Answers that are neither a 202 nor a documented 503."""


class Client:
    """Speaks to whichever gateway answers. Safe for several threads."""

    def __init__(self, urls: Sequence[str], key: str, history: History | None = None) -> None:
        self.history = history or History()
        self.patience_with: set[int] = set()
        """Statuses, besides a 503, after which `publish` tries again."""
        self._urls = itertools.cycle(urls)
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(20, connect=2),
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
            trust_env=False,
        )
        self._lock = threading.Lock()

    def publish(self, event: Event, *, within: float = PATIENCE, **options: Any) -> str:
        """Tries until the event is accepted, always with the same id, which it returns."""
        event_id: str = options.pop("id", None) or new_id()
        self.history.offered.add(event_id)
        body = {"type": event.type, "data": event.to_data(), "id": event_id, **options}
        deadline = time.monotonic() + within
        while (answer := self.post("/v1/events", body)) is None or answer.status_code != ACCEPTED:
            tolerated = {UNAVAILABLE, *self.patience_with}
            assert answer is None or answer.status_code in tolerated, answer.text
            assert time.monotonic() < deadline, f"{event_id} was not accepted within {within} s"
            time.sleep(0.1)
        self.history.accepted[event_id] = event
        return event_id

    def publish_many(self, events: Sequence[Event], **options: Any) -> list[str]:
        """All of them in one commit; tries until they are accepted, and returns their ids."""
        ids = [new_id() for _ in events]
        self.history.offered.update(ids)
        body = [
            {"type": event.type, "data": event.to_data(), "id": event_id, **options}
            for event_id, event in zip(ids, events, strict=True)
        ]
        deadline = time.monotonic() + PATIENCE
        while (answer := self.post("/v1/events/batch", body)) is None or answer.status_code != ACCEPTED:
            assert time.monotonic() < deadline, answer and answer.text
            time.sleep(0.1)
        refused = [item for item in answer.json()["items"] if "problem" in item]
        assert not refused, refused
        self.history.accepted.update(zip(ids, events, strict=True))
        return ids

    def post(
        self, path: str, body: Any, *, method: str = "POST", headers: dict[str, str] | None = None
    ) -> httpx.Response | None:
        """One try; None where no answer came. Every answer is counted."""
        with self._lock:
            url = next(self._urls)
        try:
            answer = self._http.request(method, url + path, json=body, headers=headers)
        except httpx.HTTPError as error:
            self.history.answers[type(error).__name__] += 1
            return None
        self.history.answers[str(answer.status_code)] += 1
        documented = answer.status_code == UNAVAILABLE and "retry-after" in answer.headers
        if answer.status_code >= 400 and not documented:
            self.history.wrong.append(f"{answer.status_code} {answer.text[:300]}")
        return answer

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of an answer of 200; raises `httpx.HTTPError` for any other."""
        with self._lock:
            url = next(self._urls)
        return self._http.get(url + path, params=query).raise_for_status().json()

    def event(self, event_id: str) -> dict[str, Any]:
        return self.get(f"/v1/events/{event_id}")

    def order(self, order_id: str) -> dict[str, Any]:
        return self.get(f"/v1/orders/{order_id}")

    def stock(self, sku: str) -> dict[str, Any]:
        return self.get(f"/v1/inventory/{sku}")

    def set_stock(self, sku: str, on_hand: int, *, threshold: int = 0) -> None:
        """Tries until it is so."""
        body = {"on_hand": on_hand, "low_stock_threshold": threshold}
        deadline = time.monotonic() + PATIENCE
        while (answer := self.post(f"/v1/inventory/{sku}", body, method="PUT")) is None or answer.is_error:
            assert time.monotonic() < deadline, answer.text if answer else "no answer"
            time.sleep(0.1)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def order(order_id: str, **quantities: int) -> OrderCreated:
    """An order of so many pieces of each SKU, at 500 each."""
    wanted = quantities or {"mug": 1}
    lines = tuple(OrderLine(sku=sku, quantity=count, unit_price=500) for sku, count in wanted.items())
    customer = Customer(id=f"customer-{order_id}"[:64], email="ada@example.com", name="Ada")
    total = 500 * sum(wanted.values())
    return OrderCreated(order_id=order_id, customer=customer, lines=lines, currency="EUR", total=total)


def told(what: str) -> SendEmail:
    """An event for the worker of `support.faults_worker`: `sleep 3`, `die`, `raise`, …"""
    return SendEmail.model_validate({"to": "ada@example.com", "subject": "do", "text": what})
