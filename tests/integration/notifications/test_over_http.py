"""What notification-worker answers."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

import notification_worker.main
from adapters.authenticator import FakeAuthenticator
from notification_worker.adapters.tables import MessageRow
from notification_worker.settings import Settings
from shared.store.database import Database
from support.ports import free_port

LIST = "/v1/users/c-7/notifications"
PARCEL = "/v1/templates/parcel"
SAYS = {"subject": "Parcel {{ number }}", "text": "Dear {{ name }}", "html": "<p>{{ name }}</p>"}
START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def app(migrated_url: str) -> FastAPI:
    """The application, not started."""
    environment = {
        "DATABASE_URL": migrated_url,
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}",
        "QUEUE_SERVICE_KEY": "a key of the services of this test",
        "GATEWAY_URL": f"http://127.0.0.1:{free_port()}",
        "SMTP_PORT": free_port(),
    }
    return notification_worker.main.create_app(Settings.model_validate(environment))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    app.state.authenticator = FakeAuthenticator()
    headers = {"Authorization": "Bearer events:read,events:write,admin:read,admin:write"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        yield client
    await app.state.database.close()


def row(number: int, **changes: Any) -> MessageRow:
    at = START + timedelta(minutes=number // 2)  # two at a time: the id decides between them
    given: dict[str, Any] = {
        "id": f"n-{number:03}",
        "event_id": f"e-{number}",
        "recipient": "c-7",
        "channel": "in-app",
        "address": "c-7",
        "state": "sent",
        "template": "parcel",
        "subject": f"Parcel {number}",
        "text": "It is here",
        "created_at": at,
        "updated_at": at,
    }
    return MessageRow(**(given | changes))


async def store(database: Database, *rows: MessageRow) -> None:
    async with database.transaction() as session:
        session.add_all(rows)


async def ids(client: httpx.AsyncClient, path: str) -> list[str]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_a_person_sees_their_notifications_newest_first(
    client: httpx.AsyncClient, database: Database
) -> None:
    others = row(3, address="c-8", recipient="c-8"), row(4, channel="email"), row(5, state="queued")
    await store(database, row(1), row(2), *others)

    items = (await client.get(LIST)).json()["items"]

    assert [item["id"] for item in items] == ["n-002", "n-001"]
    assert items[0] == {
        "id": "n-002",
        "event_id": "e-2",
        "template": "parcel",
        "subject": "Parcel 2",
        "text": "It is here",
        "read": False,
        "created_at": "2026-03-01T00:01:00Z",
        "read_at": None,
    }


async def test_pages_follow_each_other_while_others_are_added(
    client: httpx.AsyncClient, database: Database
) -> None:
    await store(database, *(row(number) for number in range(7)))
    seen: list[str] = []
    path: str | None = f"{LIST}?limit=2&unread=true"
    added = 100
    while path:
        answer = await client.get(path)
        seen += [item["id"] for item in answer.json()["items"]]
        await store(database, row(added))
        added += 1
        path = answer.links.get("next", {}).get("url")

    assert seen == [f"n-{number:03}" for number in reversed(range(7))]


async def test_a_notification_is_read_once_and_stays_so(
    client: httpx.AsyncClient, database: Database
) -> None:
    await store(database, row(1), row(2))

    first = await client.post(f"{LIST}/n-001/read")
    second = await client.post(f"{LIST}/n-001/read")

    assert first.status_code == second.status_code == 200
    assert first.json()["read"]
    assert first.json() == second.json()
    assert await ids(client, f"{LIST}?unread=true") == ["n-002"]
    assert await ids(client, LIST) == ["n-002", "n-001"]


async def test_another_persons_notification_is_not_there(
    client: httpx.AsyncClient, database: Database
) -> None:
    await store(database, row(1), row(2, channel="email", address="ada@example.com"))

    assert (await client.post("/v1/users/c-8/notifications/n-001/read")).status_code == 404
    assert (await client.post(f"{LIST}/n-002/read")).status_code == 404
    assert (await client.post(f"{LIST}/nothing/read")).status_code == 404
    assert await ids(client, f"{LIST}?unread=true") == ["n-001"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=forged",
        "cursor=n-002",
        "unread=perhaps",
        "more=1",
        "cursor=",
    ],
)
async def test_a_query_that_is_none_is_refused(
    client: httpx.AsyncClient, database: Database, query: str
) -> None:
    await store(database, row(2, address="c-8", recipient="c-8"))

    answer = await client.get(f"{LIST}?{query}")

    assert answer.status_code == 422
    assert "forged" not in answer.text


async def test_a_template_is_set_and_shown(client: httpx.AsyncClient) -> None:
    assert (await client.get(PARCEL)).status_code == 404

    put = await client.put(PARCEL, json=SAYS)

    assert put.status_code == 200
    shown = (await client.get(PARCEL)).json()
    assert shown == put.json()
    assert shown | {"updated_at": 0} == {**SAYS, "key": "parcel", "locale": None, "updated_at": 0}


async def test_each_language_has_a_template_of_its_own(client: httpx.AsyncClient) -> None:
    await client.put(PARCEL, json=SAYS)
    await client.put(PARCEL, json={"subject": "Sendung", "text": "Hallo", "locale": "de"})

    assert (await client.get(f"{PARCEL}?locale=de")).json()["subject"] == "Sendung"
    assert (await client.get(PARCEL)).json()["subject"] == SAYS["subject"]
    assert (await client.get(f"{PARCEL}?locale=fr")).status_code == 404


@pytest.mark.parametrize(
    ("part", "source", "why"),
    [
        ("text", "a\nb\n{{ secret", "line 3: it cannot be read as a template"),
        ("html", "{% set secret = 1 %}", "line 1: a template may not use Jinja2's Assign"),
        ("subject", "{{ secret() }}", "line 1: a template may not use Jinja2's Call"),
    ],
)
async def test_what_is_no_template_is_refused_with_its_place(
    client: httpx.AsyncClient, part: str, source: str, why: str
) -> None:
    answer = await client.put(PARCEL, json={**SAYS, part: source})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"loc": [part], "type": "template", "msg": why}]
    assert "secret" not in answer.text
    assert (await client.get(PARCEL)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"subject": "x"},
        {"text": "x"},
        {**SAYS, "secret": 1},
        {**SAYS, "text": ""},
        {**SAYS, "text": "x\u0000"},
        {**SAYS, "text": "\u202ex"},
        {**SAYS, "locale": "secret"},
        [SAYS],
        None,
    ],
    ids=json.dumps,
)
async def test_a_body_that_is_no_template_is_refused(client: httpx.AsyncClient, body: object) -> None:
    answer = await client.put(PARCEL, content=json.dumps(body), headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", LIST, "events:read"),
        ("GET", LIST, "admin:read"),
        ("POST", f"{LIST}/n-001/read", "events:write"),
        ("POST", f"{LIST}/n-001/read", "admin:write"),
        ("GET", PARCEL, "admin:read"),
        ("PUT", PARCEL, "admin:write"),
    ],
)
async def test_each_route_has_its_scopes_and_looks_at_nothing_without_a_key(
    client: httpx.AsyncClient, method: str, path: str, scope: str
) -> None:
    others = {"keys", "events:read", "events:write", "admin:read", "admin:write"} - {scope}
    either = {"GET": "events:read,admin:read", "POST": "events:write,admin:write"} if path != PARCEL else {}
    forbidden = ",".join(sorted(others - set(either.get(method, "").split(","))))

    async def status(key: str) -> int:
        return (await client.request(method, path, headers={"Authorization": key})).status_code

    assert await status("") == 401
    assert await status(f"Bearer {forbidden}") == 403
    assert await status(f"Bearer {scope}") not in {401, 403}
