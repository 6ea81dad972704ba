import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

Answer = Callable[[httpx.Request], httpx.Response]


@dataclass
class FakeGateway:
    """Answers as `script` says, in its order, and afterwards takes every event as the real one does."""

    script: list[int | Answer | Exception] = field(default_factory=list[int | Answer | Exception])
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])
    taken: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.script.pop(0) if self.script else self.take
        if isinstance(step, Exception):
            raise step
        return httpx.Response(step) if isinstance(step, int) else step(request)

    def take(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        duplicate = body["id"] in self.taken
        if self.taken.setdefault(body["id"], request.content) != request.content:
            return httpx.Response(409, json={"type": "/problems/id-conflict", "title": "Conflict"})
        answer = {"id": body["id"], "type": body["type"], "queue": "orders", "status": "waiting"}
        return httpx.Response(202, json={**answer, "duplicate": duplicate, "added_later": 1})

    def take_and_lose_the_answer(self, request: httpx.Request) -> httpx.Response:
        self.take(request)
        raise httpx.ReadError("connection reset")

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]


def answer(status: int, headers: dict[str, str] | None = None, **content: Any) -> Answer:
    return lambda _: httpx.Response(status, headers=headers, **content)
