"""A notification by its channels, against a real mail server."""

import asyncio
from datetime import timedelta

import pytest

from adapters.mail_server import MailServer, Manner
from integration.notifications.house import NewWorker, Worker, envelope_of, inbox, messages, states
from notification_worker.adapters.templates import SqlTemplates
from notification_worker.domain import Template
from shared.events.notifications import Recipient, SendEmail, SendNotification
from shared.queue import Verdict
from shared.store.database import Database

PARCEL = {"name": "Ada Łovelace", "order_id": "1042", "carrier": "DHL", "tracking_number": "0034"}
ADA = Recipient(user_id="c-7", email="ada@example.com")
SHIPPED = SendNotification(recipient=ADA, template="order-shipped", variables={**PARCEL})
LATER = timedelta(minutes=1)
"""When every claim has ended."""


def notification(**changes: object) -> SendNotification:
    return SHIPPED.model_copy(update=changes)


async def test_it_goes_by_every_channel_that_reaches_the_person(
    worker: Worker, server: MailServer, database: Database
) -> None:
    assert await worker.handle(envelope_of(SHIPPED)) == Verdict("completed")

    (mail,) = server.received
    assert (mail.to, str(mail.message["Subject"])) == ("ada@example.com", "Your order 1042 is on its way")
    assert mail.message["To"].addresses[0].display_name == "Ada Łovelace"
    assert "Tracking number: 0034" in mail.text
    assert "<!DOCTYPE html>" in mail.html
    assert await states(database) == {"email": "sent", "in-app": "sent"}
    shown = (await messages(database))["in-app"]
    assert (shown.subject, shown.address) == ("Your order 1042 is on its way", "c-7")
    ended = await inbox(database)
    assert ended is not None
    assert not ended.uncertain


async def test_a_copy_and_a_replay_send_nothing_again(
    worker: Worker, server: MailServer, database: Database
) -> None:
    await worker.handle(envelope_of(SHIPPED))

    assert await worker.handle(envelope_of(SHIPPED)) == Verdict("repeated")
    assert await worker.handle(envelope_of(SHIPPED, run=1)) == Verdict("completed")

    assert len(server.received) == 1
    assert len(await messages(database)) == 2


async def test_a_replay_of_what_was_sent_needs_no_mail_server(worker: Worker, server: MailServer) -> None:
    await worker.handle(envelope_of(SHIPPED))
    await server.stop()

    assert await worker.handle(envelope_of(SHIPPED, run=1)) == Verdict("completed")


async def test_copies_at_the_same_time_send_one_mail(
    new_worker: NewWorker, server: MailServer, database: Database
) -> None:
    workers = [new_worker() for _ in range(4)]

    verdicts = await asyncio.gather(*(worker.handle(envelope_of(SHIPPED)) for worker in workers))

    assert [verdict.outcome for verdict in verdicts].count("completed") == 1
    assert {verdict.outcome for verdict in verdicts} <= {"completed", "repeated", "postponed"}
    assert len(server.received) == 1
    ended = await inbox(database)
    assert ended is not None
    assert not ended.uncertain


async def test_one_connection_serves_many_mails(worker: Worker, server: MailServer) -> None:
    for number in range(5):
        await worker.handle(envelope_of(SHIPPED, f"e-{number}"))

    assert (len(server.received), server.connections) == (5, 1)


async def test_a_connection_that_the_server_has_closed_is_made_anew(
    worker: Worker, server: MailServer
) -> None:
    await worker.handle(envelope_of(SHIPPED))
    server.hang_up()

    assert await worker.handle(envelope_of(SHIPPED, "e-2")) == Verdict("completed")
    assert (len(server.received), server.connections) == (2, 2)


async def test_a_server_that_was_started_again_is_found_at_once(worker: Worker, server: MailServer) -> None:
    await worker.handle(envelope_of(SHIPPED))
    await server.stop()
    assert (await worker.handle(envelope_of(SHIPPED, "e-2"))).outcome == "postponed"

    await server.start()

    assert await worker.handle(envelope_of(SHIPPED, "e-2")) == Verdict("completed")


@pytest.mark.parametrize("manner", [Manner.GREYLIST, Manner.BUSY_AFTER_CONTENT, Manner.HANG_AT_RECIPIENT])
async def test_a_mail_that_the_server_does_not_take_now_waits_and_only_it_is_tried_again(
    worker: Worker, server: MailServer, database: Database, manner: Manner
) -> None:
    server.manner = manner
    assert (await worker.handle(envelope_of(SHIPPED))).outcome == "postponed"
    before = await messages(database)
    assert {channel: row.state for channel, row in before.items()} == {"email": "queued", "in-app": "sent"}

    server.manner = Manner.ACCEPT
    assert await worker.handle(envelope_of(SHIPPED)) == Verdict("completed")

    after = await messages(database)
    assert after["in-app"].updated_at == before["in-app"].updated_at
    assert (after["email"].state, after["email"].uncertain) == ("sent", False)
    assert len(server.received) == 1


async def test_a_server_that_refuses_connections_holds_up_no_other_channel(
    worker: Worker, server: MailServer, database: Database
) -> None:
    await server.stop()

    for _ in range(7):
        assert (await worker.handle(envelope_of(SHIPPED))).outcome == "postponed"

    assert await states(database) == {"email": "queued", "in-app": "sent"}


async def test_a_refused_recipient_is_dead_and_the_other_channel_is_not(
    worker: Worker, server: MailServer, database: Database
) -> None:
    server.manner = Manner.REFUSE_RECIPIENT

    assert await worker.handle(envelope_of(SHIPPED)) == Verdict("dead")

    ended = await inbox(database)
    assert ended is not None
    assert (ended.reason, ended.error) == ("refused", "refused: 550 5.1.1 no such person")
    assert await states(database) == {"email": "failed", "in-app": "sent"}
    assert server.tries == 1


async def test_a_redrive_of_a_refused_mail_sends_it_alone(
    worker: Worker, server: MailServer, database: Database
) -> None:
    server.manner = Manner.REFUSE_CONTENT
    await worker.handle(envelope_of(SHIPPED))
    before = (await messages(database))["in-app"].updated_at
    server.manner = Manner.ACCEPT

    assert await worker.handle(envelope_of(SHIPPED, run=1)) == Verdict("completed")

    assert await states(database) == {"email": "sent", "in-app": "sent"}
    assert (await messages(database))["in-app"].updated_at == before
    assert len(server.received) == 1


async def test_a_channel_that_is_not_active_is_skipped_and_said(
    worker: Worker, server: MailServer, database: Database
) -> None:
    event = notification(channels=("email", "sms"))

    assert await worker.handle(envelope_of(event)) == Verdict("completed")

    assert await states(database) == {"email": "sent", "sms": "skipped"}
    assert (await messages(database))["sms"].reason == "no_channel"


@pytest.mark.parametrize(
    ("changes", "active", "reason"),
    [
        ({"channels": ("sms", "push")}, ("email", "in-app"), "no_channel"),
        ({"channels": ("email",)}, ("in-app",), "no_channel"),
        ({"recipient": Recipient(phone="+4930901820")}, ("email", "in-app"), "unreachable"),
        ({"recipient": Recipient(email="ada@example.com")}, ("in-app",), "unreachable"),
        ({"template": "nowhere"}, ("email", "in-app"), "template"),
        ({"variables": {"name": "Ada"}}, ("email", "in-app"), "template"),
    ],
    ids=str,
)
async def test_what_can_reach_nobody_is_dead_in_one_try(
    new_worker: NewWorker,
    database: Database,
    changes: dict[str, object],
    active: tuple[str, ...],
    reason: str,
) -> None:
    worker = new_worker(active=frozenset(active))

    assert await worker.handle(envelope_of(notification(**changes))) == Verdict("dead")

    ended = await inbox(database)
    assert ended is not None
    assert ended.reason == reason
    assert worker.server.received == []
    assert set((await states(database)).values()) <= {"skipped"}


async def test_a_missing_variable_and_a_missing_template_are_named(
    worker: Worker, database: Database
) -> None:
    await worker.handle(envelope_of(notification(variables={"name": "Ada"}), "e-1"))
    await worker.handle(envelope_of(notification(template="nowhere"), "e-2"))

    ended = [await inbox(database, event_id) for event_id in ("e-1", "e-2")]
    assert [row.error for row in ended if row] == [
        "order-shipped: subject: 'order_id' is undefined",
        "there is no template nowhere",
    ]


async def test_a_template_in_the_language_of_the_person_comes_first(
    worker: Worker, server: MailServer, database: Database
) -> None:
    async with database.transaction() as session:
        german = Template("order-shipped", "Bestellung {{ order_id }}", "Hallo {{ name }}", locale="de")
        await SqlTemplates(session).put(german)

    to = ADA.model_copy(update={"locale": "de-AT"})
    await worker.handle(envelope_of(notification(recipient=to)))

    assert str(server.received[0].message["Subject"]) == "Bestellung 1042"


HOSTILE = "{{7*7}} <script>alert(1)</script> =HYPERLINK() \\x1b[31m\r\nBcc: eve@example.com\r\n\r\n.\r\n"


async def test_what_a_variable_says_begins_no_header_no_recipient_and_no_markup(
    worker: Worker, server: MailServer
) -> None:
    variables = dict.fromkeys(PARCEL, HOSTILE)

    assert await worker.handle(envelope_of(notification(variables=variables))) == Verdict("completed")

    (mail,) = server.received
    assert mail.to == "ada@example.com"
    assert mail.message["Bcc"] is None
    assert "{{7*7}} <script>alert(1)</script> =HYPERLINK() \\x1b[31m" in mail.text
    assert "<script>" not in mail.html
    assert "{{7*7}} &lt;script&gt;" in mail.html


async def test_a_raw_mail_goes_the_same_way(worker: Worker, server: MailServer, database: Database) -> None:
    raw = SendEmail(
        to="ada@example.com", subject="Grüße {{ 7*7 }}", text="Hällo,\n.\nBye", html="<p>Hällo</p>"
    )  # pyright: ignore[reportCallIssue] the field's alias

    assert await worker.handle(envelope_of(raw)) == Verdict("completed")
    assert await worker.handle(envelope_of(raw, run=1)) == Verdict("completed")

    (mail,) = server.received
    assert str(mail.message["Subject"]) == "Grüße {{ 7*7 }}"
    assert mail.text.splitlines() == ["Hällo,", ".", "Bye"]
    assert mail.html.strip() == "<p>Hällo</p>"
    assert await states(database) == {"email": "sent"}
