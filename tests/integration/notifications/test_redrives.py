"""A person decides that a mail goes again: a new run may try it as often as the first."""

import pytest

from adapters.mail_server import MailServer, Manner
from integration.notifications.house import NewWorker, envelope_of, inbox, messages
from integration.notifications.test_sending import LATER, SHIPPED
from shared.queue import Verdict
from shared.store.database import Database


async def test_a_mail_that_nobody_is_sure_of_is_sent_by_a_redrive_and_stays_marked(
    new_worker: NewWorker, server: MailServer, database: Database
) -> None:
    server.manner = Manner.CLOSE_AFTER_CONTENT
    worker = new_worker()
    assert [(await worker.handle(envelope_of(SHIPPED))).outcome for _ in range(2)] == ["postponed", "dead"]
    server.manner = Manner.ACCEPT

    assert await worker.handle(envelope_of(SHIPPED, run=1)) == Verdict("completed")

    assert len({mail.raw for mail in server.received}) == 1
    assert len(server.received) == 3
    row = (await messages(database))["email"]
    assert (row.state, row.uncertain) == ("sent", True)
    ended = await inbox(database, run=1)
    assert ended is not None
    assert ended.uncertain


@pytest.mark.parametrize("at", ["before sending", "after sending"])
async def test_each_run_sends_a_mail_twice_at_most_crashes_included(
    new_worker: NewWorker, server: MailServer, database: Database, at: str
) -> None:
    time = 0 * LATER
    for run in range(3):
        for _ in range(2):
            await new_worker(at=at, later=time).crash(envelope_of(SHIPPED, run=run))
            time += LATER
        last = new_worker(later=time)
        assert await last.handle(envelope_of(SHIPPED, run=run)) == Verdict("dead")
        ended = await inbox(database, run=run)
        assert ended is not None
        assert (ended.reason, ended.uncertain) == ("uncertain", True)

    assert len(server.received) == (6 if at == "after sending" else 0)
    assert await new_worker(later=time).handle(envelope_of(SHIPPED, run=3)) == Verdict("completed")


async def test_a_crash_counts_in_its_own_run_only(new_worker: NewWorker, server: MailServer) -> None:
    await new_worker(at="after sending").crash(envelope_of(SHIPPED))
    server.manner = Manner.REFUSE_RECIPIENT
    assert await new_worker(later=LATER).handle(envelope_of(SHIPPED)) == Verdict("dead")
    server.manner = Manner.CLOSE_AFTER_CONTENT
    worker = new_worker(later=LATER)

    outcomes = [(await worker.handle(envelope_of(SHIPPED, run=1))).outcome for _ in range(3)]

    assert outcomes == ["postponed", "dead", "repeated"]
