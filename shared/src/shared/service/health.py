"""Health: alive (the process does its work), ready (it and what it needs), and a summary for a person.

Liveness depends on nothing outside the process: a restart mends no database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response

CHECK_SECONDS = 1.5
"""Less than `ASK_SECONDS` and the gateway's `WITHIN_SECONDS`: who asks hears the answer."""

Check = Callable[[], Awaitable[str | None]]
"""Answers what is wrong with something, for a person, or None; or raises."""


@dataclass(frozen=True, slots=True)
class Health:
    """What a service can say about itself."""

    alive: Callable[[], str | None]
    """What is wrong with the process itself; None if nothing."""
    needs: Mapping[str, Check]
    """What it can't work without, by name."""
    details: Callable[[], dict[str, Any]] = dict
    """Facts that do not make it unready."""
    disabled: bool = False

    async def troubles(self) -> dict[str, str]:
        """What is wrong with what it needs, all asked at once, with a time limit."""
        answers = await asyncio.gather(*(_ask(check) for check in self.needs.values()))
        return {name: answer for name, answer in zip(self.needs, answers, strict=True) if answer}


def health_routes(health: Health, *, summary: bool = True) -> APIRouter:
    """`/livez`, `/readyz` and, unless the service has one of its own, `/health`.

    They need no key and tell no secret.
    """
    router = APIRouter(tags=["health"])

    @router.get("/livez", summary="Whether the process does its work")
    async def livez(response: Response) -> dict[str, Any]:
        trouble = health.alive()
        response.status_code = 503 if trouble else 200
        return {"status": "down", "trouble": trouble} if trouble else {"status": "ok"}

    @router.get("/readyz", summary="Whether it and all that it needs can be used")
    async def readyz(response: Response) -> dict[str, Any]:
        troubles = await _all_troubles(health)
        response.status_code = 503 if troubles else 200
        return {"status": "down", "troubles": troubles} if troubles else {"status": "ok"}

    async def summarise(response: Response) -> dict[str, Any]:
        troubles = await _all_troubles(health)
        response.status_code = 503 if troubles else 200
        status = "down" if troubles else "disabled" if health.disabled else "ok"
        return {"status": status, "troubles": troubles, **health.details()}

    if summary:
        router.get("/health", name="health", summary="How it is, for a person")(summarise)
    _ = livez, readyz
    return router


async def _all_troubles(health: Health) -> dict[str, str]:
    troubles = await health.troubles()
    if trouble := health.alive():
        troubles["process"] = trouble
    return troubles


async def _ask(check: Check) -> str | None:
    """A check that has run out of time is cancelled, and not waited for.

    It may take its own time to end: psycopg asks the silent server to cancel what it asked before.
    """
    asking = asyncio.ensure_future(check())
    asking.add_done_callback(_hear_out)
    try:
        await asyncio.wait([asking], timeout=CHECK_SECONDS)
        if not asking.done():
            return f"no answer within {CHECK_SECONDS:g} s"
        return asking.result()
    except Exception as error:  # noqa: BLE001 whatever it is, a person has to be told
        return type(error).__name__
    finally:
        asking.cancel()


def _hear_out(asked: asyncio.Future[str | None]) -> None:
    """Whatever else a check says that was given up is not worth a line in the log."""
    if not asked.cancelled():
        asked.exception()
