"""Whether a part works: each probe answers None, or what is not right yet in a few words."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import httpx

Probe = Callable[[httpx.AsyncClient], Awaitable[str | None]]

_TIME_LIMIT = 2.0  # seconds a probe may take


def probing_client() -> httpx.AsyncClient:
    """What HTTP probes ask with: no proxies of the environment, no connection kept from before a restart."""
    return httpx.AsyncClient(
        trust_env=False,
        timeout=_TIME_LIMIT,
        limits=httpx.Limits(max_keepalive_connections=0),
    )


def valkey_answers(port: int) -> Probe:
    """A probe for PING (`+PONG`; `-LOADING` while it reads its files)."""

    async def ask(_: httpx.AsyncClient) -> str | None:
        try:
            async with asyncio.timeout(_TIME_LIMIT):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(b"PING\r\n")
                    answer = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return "does not answer yet"
        return None if answer.startswith(b"+PONG") else answer.decode(errors="replace").strip()[:100]

    return ask


def service_is_ready(url: str) -> Probe:
    """A probe for `GET /readyz` → 200."""

    async def ask(client: httpx.AsyncClient) -> str | None:
        answer = await _get(client, f"{url}/readyz")
        if isinstance(answer, str):
            return answer
        return None if answer.is_success else f"/readyz answers {answer.status_code}"

    return ask


def all_is_well(url: str) -> Probe:
    """A probe for the gateway's `GET /health` → `ok`, which has asked every service itself."""

    async def ask(client: httpx.AsyncClient) -> str | None:
        answer = await _get(client, f"{url}/health")
        if isinstance(answer, str):
            return answer
        try:
            health = answer.json()
        except ValueError:
            return f"/health answers {answer.status_code}"
        return None if _status(health) == "ok" else f"/health says {_what_is_wrong(health)}"

    return ask


async def _get(client: httpx.AsyncClient, url: str) -> httpx.Response | str:
    try:
        return await client.get(url)
    except httpx.HTTPError:
        return "does not answer yet"


def _status(part: object) -> str:
    status = cast("Mapping[str, Any]", part).get("status") if isinstance(part, Mapping) else part
    return str(status)


def _what_is_wrong(health: object) -> str:
    if not isinstance(health, Mapping):
        return "nothing that can be read"
    known = cast("Mapping[str, Any]", health)
    services = known.get("services")
    parts: dict[str, Any] = dict(cast("Mapping[str, Any]", services)) if isinstance(services, Mapping) else {}
    parts |= {name: known[name] for name in ("redis", "database") if name in known}
    wrong = [
        f"{name} {_status(part)}" for name, part in parts.items() if _status(part) not in ("ok", "disabled")
    ]
    return ", ".join([f"{_status(known)}", *wrong])
