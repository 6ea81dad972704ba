"""An event that ends dead says so where its mail may have gone all the same."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from adapters.mail_server import MailServer, Manner
from integration.notifications.house import Crash, NewWorker, Worker, envelope_of, inbox
from integration.notifications.test_sending import SHIPPED
from notification_worker.adapters.tables import MessageRow
from notification_worker.adapters.work import in_doubt
from notification_worker.domain import Message, MessageState
from shared.queue import Verdict
from shared.store.database import Database
from shared.store.tables import Attempt, Effort
from support.deliveries import rows

DAYS = timedelta(days=2)


async def death(database: Database) -> tuple[str | None, bool]:
    ended = await inbox(database)
    assert ended is not None
    assert ended.outcome == "dead"
    return ended.reason, ended.uncertain


async def let_it_have_waited(database: Database, reason: str) -> None:
    """As if it had been postponed for days."""
    now = datetime.now(UTC)
    async with database.transaction() as session:
        waited = Attempt(
            event_id="e-1",
            run=0,
            delivery="long ago",
            effort=Effort.POSTPONED,
            worker="worker-1",
            started_at=now,
            ended_at=now,
            retry_at=now + DAYS,
            reason=reason,
        )
        session.add(waited)


@pytest.mark.parametrize("manner", [Manner.REFUSE_RECIPIENT, Manner.REFUSE_CONTENT])
@pytest.mark.parametrize("cut", [True, False], ids=["after a cut", "at once"])
async def test_a_refusal_after_a_cut_is_uncertain_and_any_other_is_not(
    worker: Worker, server: MailServer, database: Database, manner: Manner, cut: bool
) -> None:
    if cut:
        server.manner = Manner.CLOSE_AFTER_CONTENT
        await worker.handle(envelope_of(SHIPPED))
    server.manner = manner

    assert await worker.handle(envelope_of(SHIPPED)) == Verdict("dead")
    assert await death(database) == ("refused", cut)


@pytest.mark.parametrize("manner", [Manner.GREYLIST, None], ids=["not now", "away"])
@pytest.mark.parametrize("cut", ["closed", "crash", None])
async def test_a_server_that_is_away_for_days_leaves_a_mail_uncertain_only_after_a_cut(
    new_worker: NewWorker, server: MailServer, database: Database, manner: Manner | None, cut: str | None
) -> None:
    if cut == "crash":
        await new_worker(at="after sending").crash(envelope_of(SHIPPED))
    elif cut == "closed":
        server.manner = Manner.CLOSE_AFTER_CONTENT
        await new_worker().handle(envelope_of(SHIPPED))
    await let_it_have_waited(database, "mail_server")
    if manner:
        server.manner = manner
    else:
        await server.stop()

    assert await new_worker(later=DAYS).handle(envelope_of(SHIPPED)) == Verdict("dead")
    assert await death(database) == ("mail_server", cut is not None)


async def test_a_mail_that_another_try_has_had_for_days_is_uncertain(
    new_worker: NewWorker, database: Database
) -> None:
    await new_worker(at="after sending").crash(envelope_of(SHIPPED))
    await let_it_have_waited(database, "claimed")

    assert await new_worker().handle(envelope_of(SHIPPED)) == Verdict("dead")
    assert await death(database) == ("claimed", True)


async def test_another_try_may_have_the_mail_for_longer_than_the_patience_of_the_queue(
    new_worker: NewWorker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notification_worker.service.CLAIM_MARGIN", 600.0)  # forty tries may take their time
    await new_worker(at="before sending").crash(envelope_of(SHIPPED))
    worker = new_worker()

    verdicts = [await worker.handle(envelope_of(SHIPPED)) for _ in range(40)]

    assert {verdict.outcome for verdict in verdicts} == {"postponed"}
    tries = await rows(database, Attempt)
    waits = [row.retry_at - row.ended_at for row in tries if row.retry_at and row.ended_at]
    assert sum(waits, timedelta()) > timedelta(minutes=5)


async def test_a_death_that_was_not_committed_keeps_its_reason(
    worker: Worker, server: MailServer, database: Database
) -> None:
    server.manner = Manner.CLOSE_AFTER_CONTENT
    for _ in range(2):
        await worker.handle(envelope_of(SHIPPED))
    async with database.transaction() as session:
        ended = await inbox(database)
        await session.delete(ended)

    assert await worker.handle(envelope_of(SHIPPED)) == Verdict("dead")
    assert await death(database) == ("uncertain", True)
    assert len(server.received) == 2


def end_the_process() -> None:
    raise Crash


@pytest.mark.parametrize("at", ["after sending", None])
async def test_an_event_that_kills_its_workers_is_uncertain_once_its_mail_may_have_gone(
    new_worker: NewWorker,
    server: MailServer,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    at: str | None,
) -> None:
    event = envelope_of(SHIPPED)
    killed = new_worker(at=at)
    if at is None:
        monkeypatch.setattr(killed.mailer, "connection", end_the_process)
    await killed.crash(event, entry="1-1", deliveries=1, limit=1)

    assert await new_worker().handle(event, entry="1-1", deliveries=2, limit=1) == Verdict("dead")

    assert await death(database) == ("lost", at is not None)
    assert len(server.received) == (at is not None)


@pytest.mark.parametrize("sent", [True, False])
async def test_a_bug_around_a_sending_makes_the_event_uncertain_if_the_mail_may_have_gone(
    new_worker: NewWorker, database: Database, monkeypatch: pytest.MonkeyPatch, sent: bool
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    worker = new_worker(before_last=fail) if sent else new_worker()
    if not sent:
        monkeypatch.setattr(worker.mailer, "was_taken", fail)

    assert await worker.handle(envelope_of(SHIPPED), limit=1) == Verdict("dead")

    assert await death(database) == ("ZeroDivisionError", sent)


@pytest.mark.parametrize("uncertain", [True, False])
@pytest.mark.parametrize("state", MessageState)
async def test_the_query_and_the_domain_say_the_same_of_a_message(
    database: Database, state: MessageState, uncertain: bool
) -> None:
    now = datetime.now(UTC)
    message = Message(
        id="m",
        event_id="e-1",
        recipient="ada",
        channel="email",
        address="ada@example.com",
        state=state,
        created_at=now,
        uncertain=uncertain,
    )
    async with database.transaction() as session:
        values = {name: value for name, value in asdict(message).items() if name != "content"}
        session.add(MessageRow(**values, updated_at=now))

    async with database.reading() as session:
        assert await in_doubt(session, envelope_of(SHIPPED)) is message.may_have_gone
