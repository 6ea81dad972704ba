"""An event whose time has passed: what was not begun is left, what was begun comes to its end."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.mail_server import MailServer, Manner
from integration.notifications.house import NewWorker, Worker, envelope_of, inbox, outbox, states
from integration.notifications.test_batches import COUNT, SALE, crash_after
from integration.notifications.test_sending import LATER, SHIPPED, notification
from shared.events import Event
from shared.events.notifications import SendEmail
from shared.queue import Verdict
from shared.store.database import Database

RAW = SendEmail.model_validate({"to": "ada@example.com", "subject": "Hello", "text": "Hi"})
BY_MAIL = notification(channels=("email",))


def soon() -> datetime:
    """Past by LATER."""
    return datetime.now(UTC) + timedelta(seconds=30)


@pytest.mark.parametrize("event", [SHIPPED, RAW, SALE], ids=lambda event: event.type)
async def test_what_expires_before_anything_was_begun_reaches_nobody(
    new_worker: NewWorker, server: MailServer, database: Database, event: Event
) -> None:
    worker = new_worker(later=LATER)

    assert await worker.handle(envelope_of(event, expires_at=soon())) == Verdict("expired")

    assert (server.received, await states(database), await outbox(database)) == ([], {}, [])


@pytest.mark.parametrize("event", [BY_MAIL, RAW], ids=lambda event: event.type)
async def test_a_mail_that_the_server_never_had_expires_while_it_waits(
    new_worker: NewWorker, server: MailServer, event: Event
) -> None:
    expires_at = soon()
    server.manner = Manner.GREYLIST
    assert (await new_worker().handle(envelope_of(event, expires_at=expires_at))).outcome == "postponed"
    server.manner = Manner.ACCEPT

    late = new_worker(later=LATER)

    assert await late.handle(envelope_of(event, expires_at=expires_at)) == Verdict("expired")
    assert server.received == []


@pytest.mark.parametrize("event", [SHIPPED, BY_MAIL, RAW], ids=["both", "mail", "raw"])
@pytest.mark.parametrize("cut", ["crash", "closed"])
async def test_a_mail_that_may_have_gone_does_not_expire(
    new_worker: NewWorker, server: MailServer, database: Database, event: Event, cut: str
) -> None:
    expires_at = soon()
    if cut == "crash":
        await new_worker(at="after sending").crash(envelope_of(event, expires_at=expires_at))
    else:
        server.manner = Manner.CLOSE_AFTER_CONTENT
        await new_worker().handle(envelope_of(event, expires_at=expires_at))
        server.manner = Manner.ACCEPT

    late = new_worker(later=LATER)

    assert await late.handle(envelope_of(event, expires_at=expires_at)) == Verdict("completed")
    ended = await inbox(database)
    assert ended is not None
    assert ended.uncertain


async def test_a_batch_that_was_begun_goes_on_to_its_end(new_worker: NewWorker, database: Database) -> None:
    expires_at = soon()
    worker = new_worker()
    crash_after(worker, 1)
    await worker.crash(envelope_of(SALE, expires_at=expires_at))

    late = new_worker(later=LATER)

    assert await late.handle(envelope_of(SALE, expires_at=expires_at)) == Verdict("completed")
    assert len(await outbox(database)) == COUNT


async def test_a_batch_that_was_cut_off_before_its_first_commit_expires(
    new_worker: NewWorker, database: Database
) -> None:
    expires_at = soon()
    worker = new_worker()
    crash_after(worker, 0)
    await worker.crash(envelope_of(SALE, expires_at=expires_at))

    late = new_worker(later=LATER)

    assert await late.handle(envelope_of(SALE, expires_at=expires_at)) == Verdict("expired")
    assert await outbox(database) == []


@pytest.mark.parametrize("outcome", ["dead", "expired"])
async def test_a_mail_that_was_sent_is_known_even_where_a_copy_has_ended_its_run(
    worker: Worker, server: MailServer, database: Database, outcome: str
) -> None:
    envelope = envelope_of(SHIPPED)

    async def overtaken() -> None:
        copy = worker.delivery_of(envelope)
        if outcome == "dead":
            await worker.ledger.bury(copy, "lost", ValueError())
        else:
            await worker.ledger.expire(copy)

    worker.before_last = overtaken

    assert await worker.handle(envelope) == Verdict("repeated")

    assert await states(database) == {"email": "sent", "in-app": "sent"}
    worker.before_last = lambda: None
    assert await worker.handle(envelope_of(SHIPPED, run=1)) == Verdict("completed")
    assert len(server.received) == 1
