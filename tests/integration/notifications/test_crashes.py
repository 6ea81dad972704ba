"""A worker may end at any point: a mail is sent once, or once more with the same Message-ID and marked."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy.exc import OperationalError

from adapters.mail_server import MailServer, Manner
from integration.notifications.house import NewWorker, envelope_of, inbox, messages
from integration.notifications.test_sending import LATER, SHIPPED
from shared.queue import Verdict
from shared.store.database import Database


async def mail_row(database: Database) -> tuple[str, bool]:
    row = (await messages(database))["email"]
    return row.state, row.uncertain


async def is_uncertain(database: Database) -> bool:
    ended = await inbox(database)
    assert ended is not None
    assert ended.outcome == "completed"
    return ended.uncertain


@pytest.mark.parametrize(("at", "copies"), [("before sending", 1), ("after sending", 2)])
async def test_a_mail_whose_sending_was_cut_off_is_sent_once_more_with_the_same_id_and_marked(
    new_worker: NewWorker, server: MailServer, database: Database, at: str, copies: int
) -> None:
    await new_worker(at=at).crash(envelope_of(SHIPPED))
    assert await mail_row(database) == ("sending", False)

    second = new_worker()
    assert (await second.handle(envelope_of(SHIPPED))).outcome == "postponed"  # the claim still holds
    assert await new_worker(later=LATER).handle(envelope_of(SHIPPED)) == Verdict("completed")

    assert len(server.received) == copies
    assert len({mail.id for mail in server.received}) == 1
    assert await mail_row(database) == ("sent", True)
    assert await is_uncertain(database)


async def test_a_mail_that_two_crashes_cut_off_is_sent_no_third_time(
    new_worker: NewWorker, server: MailServer, database: Database
) -> None:
    await new_worker(at="after sending").crash(envelope_of(SHIPPED))
    await new_worker(at="after sending", later=LATER).crash(envelope_of(SHIPPED))

    assert await new_worker(later=2 * LATER).handle(envelope_of(SHIPPED)) == Verdict("dead")

    assert len(server.received) == 2
    assert await mail_row(database) == ("failed", True)
    ended = await inbox(database)
    assert ended is not None
    assert (ended.reason, ended.uncertain) == ("uncertain", True)


async def test_a_mail_is_not_sent_before_everybody_can_see_that_it_is_being_sent(
    new_worker: NewWorker, server: MailServer, database: Database
) -> None:
    server.manner = Manner.HANG_AFTER_CONTENT
    worker = new_worker()
    sending = asyncio.create_task(worker.handle(envelope_of(SHIPPED)))
    await asyncio.wait_for(server.hanging.wait(), 5)

    assert await mail_row(database) == ("sending", False)

    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending


async def test_a_worker_that_is_told_to_stop_in_the_middle_leaves_the_mail_to_the_next(
    new_worker: NewWorker, server: MailServer, database: Database
) -> None:
    server.manner = Manner.HANG_AFTER_CONTENT
    sending = asyncio.create_task(new_worker().handle(envelope_of(SHIPPED)))
    await asyncio.wait_for(server.hanging.wait(), 5)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    server.manner = Manner.ACCEPT
    assert await new_worker(later=LATER).handle(envelope_of(SHIPPED)) == Verdict("completed")

    first, second = server.received
    assert first.id == second.id
    assert await is_uncertain(database)


async def test_after_the_end_of_the_run_nothing_is_sent(
    new_worker: NewWorker, server: MailServer, database: Database
) -> None:
    await new_worker().handle(envelope_of(SHIPPED))

    assert await new_worker(later=LATER).handle(envelope_of(SHIPPED)) == Verdict("repeated")

    assert len(server.received) == 1
    assert not await is_uncertain(database)


async def test_a_database_that_is_away_after_the_sending_makes_no_second_mail(
    new_worker: NewWorker, server: MailServer, database: Database
) -> None:
    worker = new_worker()
    troubles = iter([True, True])

    def trouble() -> None:
        if next(troubles, False):
            raise OperationalError("COMMIT", {}, Exception("the database is away"))

    worker.before_last = trouble

    assert await worker.handle(envelope_of(SHIPPED)) == Verdict("completed")

    assert len(server.received) == 1
    assert await mail_row(database) == ("sent", False)
    assert not await is_uncertain(database)


@pytest.mark.parametrize("manner", [Manner.CLOSE_AFTER_CONTENT, Manner.HANG_AFTER_CONTENT])
async def test_a_server_that_breaks_off_when_it_has_the_mail_gets_it_once_more(
    new_worker: NewWorker, server: MailServer, database: Database, manner: Manner
) -> None:
    server.manner = manner
    worker = new_worker()
    assert (await worker.handle(envelope_of(SHIPPED))).outcome == "postponed"
    server.manner = Manner.ACCEPT

    assert await worker.handle(envelope_of(SHIPPED)) == Verdict("completed")

    first, second = server.received
    assert first.id == second.id
    assert await is_uncertain(database)


async def test_a_server_that_always_breaks_off_gets_a_mail_twice_and_then_a_person_decides(
    new_worker: NewWorker, server: MailServer, database: Database
) -> None:
    server.manner = Manner.CLOSE_AFTER_CONTENT
    worker = new_worker()

    outcomes = [(await worker.handle(envelope_of(SHIPPED))).outcome for _ in range(3)]

    assert outcomes == ["postponed", "dead", "repeated"]
    ended = await inbox(database)
    assert ended is not None
    assert (ended.reason, ended.uncertain) == ("uncertain", True)
    assert len(server.received) == 2
    assert await mail_row(database) == ("failed", True)


async def test_a_zombie_and_its_successor_end_the_run_once_and_marked(
    new_worker: NewWorker, server: MailServer, database: Database
) -> None:
    zombie, successor = new_worker(), new_worker(later=LATER)
    verdicts: list[Verdict] = []

    async def overtaken() -> None:
        verdicts.append(await successor.handle(envelope_of(SHIPPED)))

    zombie.before_last = overtaken

    assert await zombie.handle(envelope_of(SHIPPED)) == Verdict("repeated")

    assert verdicts == [Verdict("completed")]
    assert len({mail.id for mail in server.received}) == 1
    assert await mail_row(database) == ("sent", True)
    assert await is_uncertain(database)


async def test_a_late_answer_of_a_zombie_takes_nothing_from_its_successor(
    new_worker: NewWorker, server: MailServer, database: Database
) -> None:
    zombie, successor = new_worker(), new_worker(later=LATER, at="before sending")
    zombie.before_sending = lambda: successor.crash(envelope_of(SHIPPED))
    server.manner = Manner.GREYLIST

    assert (await zombie.handle(envelope_of(SHIPPED))).outcome == "postponed"

    assert await mail_row(database) == ("sending", True)
    third = new_worker(later=LATER)
    assert (await third.handle(envelope_of(SHIPPED))).outcome == "postponed"
    assert server.tries == 1
