"""notification-worker with its queue, its database and a mail server; also as a process that is killed."""

from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.mail_server import MailServer, Manner
from integration.notifications.house import inbox, outbox, states
from integration.notifications.test_sending import SHIPPED
from shared.events import Envelope
from shared.events.notifications import BatchNotification, Recipient, SendEmail
from shared.queue import RedisSender
from shared.queue.connection import connect
from shared.store.database import Database
from shared.store.tables import Inbox
from support.forked import Forked
from support.ports import free_port
from support.queueing import wrap
from support.waiting import eventually

Send = Callable[[Envelope], Any]
Start = Callable[[], Any]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start(migrated_url: str, redis_url: str, server: MailServer, port: int, tmp_path: Path) -> Start:
    """Starts the worker as a process; at the end of the block it is killed."""
    environment = {
        "DATABASE_URL": migrated_url,
        "REDIS_URL": redis_url,
        "QUEUE_SERVICE_KEY": "a key of the services of this test",
        "GATEWAY_URL": f"http://127.0.0.1:{free_port()}",
        "NOTIFICATION_WORKER_PORT": str(port),
        "SMTP_PORT": str(server.port),
        "SMTP_SECONDS": "2",
    }

    @contextmanager
    def started() -> Generator[Forked]:
        module, log = "notification_worker.__main__", tmp_path / "worker.log"
        process = Forked(module, log=log, environment=environment, directory=tmp_path)
        try:
            yield process
        finally:
            process.end()

    return started


@pytest.fixture
async def send(redis_url: str) -> AsyncIterator[Send]:
    client = connect(redis_url)
    sender = RedisSender(client, opens=True)

    async def send(envelope: Envelope) -> None:
        assert await sender.send("notifications", [envelope])

    yield send
    await client.aclose()


async def ended(database: Database, event_id: str) -> Inbox:
    async def found() -> Inbox | None:
        return await inbox(database, event_id)

    row = await eventually(found, within=60)
    assert row is not None
    return row


async def is_ready(port: int) -> bool | None:
    """Whether it says so; None while it says nothing."""
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            answer = await client.get(f"http://127.0.0.1:{port}/readyz")
        except httpx.HTTPError:
            return None
    assert answer.is_success or "no mail server" in answer.text
    return answer.is_success


async def test_each_kind_of_event_is_handled_and_readiness_follows_the_mail_server(
    database: Database, server: MailServer, send: Send, start: Start, port: int
) -> None:
    to = tuple(Recipient(email=f"person-{number}@example.com") for number in range(3))
    with start():
        await send(wrap(SHIPPED, id="e-1"))
        await send(wrap(SendEmail(to="eve@example.com", subject="Raw", text="x"), id="e-2"))  # pyright: ignore[reportCallIssue] the field's alias
        batch = BatchNotification(recipients=to, template=SHIPPED.template, variables=SHIPPED.variables)
        await send(wrap(batch, id="e-3"))

        for event_id in ("e-1", "e-2", "e-3"):
            assert (await ended(database, event_id)).outcome == "completed"
        for child in await outbox(database):
            assert (await ended(database, child.id)).outcome == "completed"
        assert sorted(mail.to for mail in server.received) == [
            "ada@example.com",
            "eve@example.com",
            *(recipient.email for recipient in to),
        ]

        async def is_unready() -> bool:
            return await is_ready(port) is False

        await eventually(lambda: is_ready(port), within=20)
        await server.stop()
        await eventually(is_unready, within=20)
        await server.start()
        await eventually(lambda: is_ready(port), within=20)


async def test_a_mail_server_that_comes_back_gets_what_waited_and_no_attempt_is_burnt(
    database: Database, server: MailServer, send: Send, start: Start
) -> None:
    await server.stop()
    with start():
        await send(wrap(SHIPPED, id="e-1"))

        async def waits() -> bool:
            return await states(database) == {"email": "queued", "in-app": "sent"}

        await eventually(waits, within=30)
        await server.start()
        row = await ended(database, "e-1")

    assert (row.outcome, row.uncertain, len(server.received)) == ("completed", False, 1)


async def test_a_worker_killed_while_it_sends_leads_to_one_mail_more_with_the_same_id(
    database: Database, server: MailServer, send: Send, start: Start
) -> None:
    server.manner = Manner.HANG_AFTER_CONTENT
    with start():
        await send(wrap(SHIPPED, id="e-1"))
        await eventually(server.hanging.is_set, within=30)
    server.manner = Manner.ACCEPT

    with start():
        row = await ended(database, "e-1")

    first, second = server.received
    assert first.id == second.id
    assert (row.outcome, row.uncertain) == ("completed", True)
