"""A batch goes on where it stopped, and nobody is written to twice."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from adapters.mail_server import MailServer
from integration.notifications.house import Crash, NewWorker, Worker, envelope_of, inbox, outbox
from notification_worker.adapters.tables import BatchRow
from notification_worker.service import CHUNK
from shared.events.notifications import BatchNotification, Recipient, SendNotification
from shared.queue import Delivery, Verdict
from shared.store.database import Database
from shared.store.unit import Unit

COUNT = 2 * CHUNK + 50
SALE = BatchNotification(
    recipients=tuple(Recipient(email=f"person-{number}@example.com") for number in range(COUNT)),
    template="summer-sale",
    variables={"percent": 20},
)


def crash_after(worker: Worker, chunks: int) -> None:
    """Lets the worker end before it commits one chunk more."""
    begun = 0
    step = worker.ledger._step  # pyright: ignore[reportPrivateUsage] a crash there the crash is between its statements

    @asynccontextmanager
    async def crashing(delivery: Delivery) -> AsyncGenerator[Unit]:
        nonlocal begun
        begun += 1
        async with step(delivery) as unit:
            yield unit
            if begun > chunks:
                raise Crash

    worker.ledger._step = crashing  # pyright: ignore[reportPrivateUsage] where a process may end between commits


async def position(database: Database) -> tuple[int, int]:
    async with database.reading() as session:
        row = await session.get(BatchRow, "e-1")
    assert row is not None
    return row.position, row.total


async def recipients(database: Database) -> list[str]:
    rows = await outbox(database)
    assert len({row.id for row in rows}) == len(rows)
    assert {(row.type, row.priority, row.causation_id) for row in rows} == {
        (SendNotification.type, "low", "e-1")
    }
    return sorted(SendNotification.model_validate_json(row.data).recipient.email or "" for row in rows)


EVERYBODY = sorted(recipient.email or "" for recipient in SALE.recipients)


async def test_a_batch_causes_an_event_for_each_recipient(worker: Worker, database: Database) -> None:
    assert await worker.handle(envelope_of(SALE)) == Verdict("completed")

    assert await recipients(database) == EVERYBODY
    assert await position(database) == (COUNT, COUNT)


@pytest.mark.parametrize("chunks", [0, 1, 2])
async def test_a_batch_that_was_cut_off_goes_on_where_it_stopped(
    new_worker: NewWorker, database: Database, chunks: int
) -> None:
    first = new_worker()
    crash_after(first, chunks)
    await first.crash(envelope_of(SALE))
    assert len(await outbox(database)) == chunks * CHUNK

    assert await new_worker().handle(envelope_of(SALE)) == Verdict("completed")

    assert await recipients(database) == EVERYBODY


async def test_a_replayed_batch_causes_nothing_again(worker: Worker, database: Database) -> None:
    await worker.handle(envelope_of(SALE))

    assert await worker.handle(envelope_of(SALE, run=1)) == Verdict("completed")

    assert await recipients(database) == EVERYBODY


async def test_a_large_batch_goes_in_chunks_that_a_database_can_take(
    new_worker: NewWorker, database: Database
) -> None:
    heavy = SALE.model_copy(update={"variables": {"text": "x" * 90_000}, "recipients": SALE.recipients[:50]})
    worker = new_worker()
    crash_after(worker, 1)

    await worker.crash(envelope_of(heavy))

    done, total = await position(database)
    assert 0 < done < total
    assert sum(len(row.data) for row in await outbox(database)) <= 2_000_000


async def test_a_recipient_that_cannot_be_reached_fails_alone(
    worker: Worker, database: Database, server: MailServer
) -> None:
    variables = {"name": "Ada", "order_id": "1", "carrier": "DHL", "tracking_number": "0"}
    to = (
        Recipient(email="ada@example.com"),
        Recipient(phone="+4930901820"),
        Recipient(email="eve@example.com"),
    )
    batch = BatchNotification(recipients=to, template="order-shipped", variables={**variables})
    await worker.handle(envelope_of(batch))

    children = await outbox(database)
    verdicts = [await worker.handle(row.envelope()) for row in children]

    assert sorted(verdict.outcome for verdict in verdicts) == ["completed", "completed", "dead"]
    assert {mail.to for mail in server.received} == {"ada@example.com", "eve@example.com"}
    reasons = [ended.reason for row in children if (ended := await inbox(database, row.id))]
    assert sorted(map(str, reasons)) == ["None", "None", "unreachable"]
