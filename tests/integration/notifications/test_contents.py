"""What a message says is decided once, however its template changes between the tries."""

import pytest
from sqlalchemy.exc import OperationalError

from adapters.mail_server import MailServer, Manner
from integration.notifications.house import NewWorker, Worker, envelope_of, inbox, messages
from integration.notifications.test_sending import LATER, SHIPPED, notification
from notification_worker.adapters.templates import SqlTemplates
from notification_worker.domain import Template
from shared.queue import Verdict
from shared.store.database import Database

BROKEN = Template("order-shipped", "Hi {{ tracking_nr }}", "x")
OTHER = Template("order-shipped", "Another subject", "Another text")


async def put(database: Database, template: Template) -> None:
    async with database.transaction() as session:
        await SqlTemplates(session).put(template)


@pytest.mark.parametrize("edited", [BROKEN, OTHER], ids=["broken", "other"])
@pytest.mark.parametrize("cut", ["crash", "closed"])
async def test_a_mail_that_is_sent_once_more_is_the_same_byte_for_byte(
    new_worker: NewWorker, server: MailServer, database: Database, edited: Template, cut: str
) -> None:
    if cut == "crash":
        await new_worker(at="after sending").crash(envelope_of(SHIPPED))
    else:
        server.manner = Manner.CLOSE_AFTER_CONTENT
        await new_worker().handle(envelope_of(SHIPPED))
        server.manner = Manner.ACCEPT
    await put(database, edited)

    assert await new_worker(later=LATER).handle(envelope_of(SHIPPED)) == Verdict("completed")

    first, second = server.received
    assert first.raw == second.raw


async def test_a_mail_that_was_taken_ends_well_though_its_template_is_broken_meanwhile(
    worker: Worker, server: MailServer, database: Database
) -> None:
    troubles = iter([True])

    async def trouble() -> None:
        if next(troubles, False):
            await put(database, BROKEN)
            raise OperationalError("COMMIT", {}, Exception("the database is away"))

    worker.before_last = trouble

    assert await worker.handle(envelope_of(SHIPPED)) == Verdict("completed")
    assert len(server.received) == 1


async def test_a_replay_of_what_was_sent_needs_no_template(worker: Worker, database: Database) -> None:
    await worker.handle(envelope_of(SHIPPED))
    await put(database, BROKEN)

    assert await worker.handle(envelope_of(SHIPPED, run=1)) == Verdict("completed")


async def test_a_mail_that_waits_says_by_every_channel_what_the_app_shows_already(
    worker: Worker, server: MailServer, database: Database
) -> None:
    server.manner = Manner.GREYLIST
    await worker.handle(envelope_of(SHIPPED))
    await put(database, OTHER)
    server.manner = Manner.ACCEPT

    assert await worker.handle(envelope_of(SHIPPED)) == Verdict("completed")

    shown = (await messages(database))["in-app"]
    assert str(server.received[0].message["Subject"]) == shown.subject == "Your order 1042 is on its way"


async def test_what_a_mail_says_is_kept_no_longer_than_until_it_is_sent(
    worker: Worker, server: MailServer, database: Database
) -> None:
    server.manner = Manner.GREYLIST
    await worker.handle(envelope_of(SHIPPED))
    kept = (await messages(database))["email"]
    assert kept.subject == "Your order 1042 is on its way"
    server.manner = Manner.ACCEPT

    await worker.handle(envelope_of(SHIPPED))

    row = (await messages(database))["email"]
    assert (row.subject, row.text, row.html) == (None, None, None)


async def test_a_template_that_was_mended_is_filled_by_a_redrive(
    worker: Worker, server: MailServer, database: Database
) -> None:
    await put(database, BROKEN)
    assert await worker.handle(envelope_of(SHIPPED)) == Verdict("dead")
    await put(database, OTHER)

    assert await worker.handle(envelope_of(SHIPPED, run=1)) == Verdict("completed")
    assert str(server.received[0].message["Subject"]) == "Another subject"


async def test_a_template_that_stops_another_channel_of_a_mail_that_may_have_gone_says_so(
    new_worker: NewWorker, database: Database
) -> None:
    both = notification(channels=("email", "in-app"))
    only_mail = frozenset({"email"})
    await new_worker(at="after sending", active=only_mail).crash(envelope_of(both))
    await put(database, BROKEN)

    assert await new_worker(later=LATER).handle(envelope_of(both)) == Verdict("dead")

    ended = await inbox(database)
    assert ended is not None
    assert (ended.reason, ended.uncertain) == ("template", True)
