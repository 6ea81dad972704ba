"""What a scrape says of what has not left a database, and what it says while that is away."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.adapters.tables import JournalRow
from shared.events import QUEUES
from shared.service.metrics.counting import Metrics
from shared.service.metrics.reading import Reading
from shared.service.metrics.store import JournalReading, OutboxReading
from shared.store.database import Database
from shared.store.handover import HandOver
from shared.store.tables import Attempt, Inbox, Outbox, sendable_columns, utc_now
from support.deliveries import envelope
from support.ports import free_port


async def scraped(reading: Reading) -> dict[tuple[str, ...], float]:
    """By name and values of labels."""
    text = await Metrics("order-worker", [reading]).scrape()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name.startswith("queue_")
    }


def of_outbox(database: Database) -> OutboxReading:
    return OutboxReading(database, HandOver(database, "orders", httpx.AsyncClient()), QUEUES)


async def add(database: Database, *rows: Any) -> None:
    async with database.transaction() as session:
        session.add_all(rows)


def caused(event_id: str, *, age: float, **columns: Any) -> Outbox:
    given = sendable_columns(envelope(event_id), "inventory") | columns
    return Outbox(**given, created_at=before(age))


def journal_row(event_id: str, *, age: float, **columns: Any) -> JournalRow:
    given = sendable_columns(envelope(event_id), "orders") | columns
    return JournalRow(**given, created_at=before(age))


def before(seconds: float) -> datetime:
    return utc_now() - timedelta(seconds=seconds)


async def test_an_empty_outbox_is_nought(worker_database: Database) -> None:
    samples = await scraped(of_outbox(worker_database))

    assert samples["queue_database_up",] == 1
    assert samples["queue_outbox_unsent",] == 0
    assert samples["queue_outbox_oldest_seconds",] == 0
    assert samples["queue_handover_oldest_seconds",] == 0


async def test_what_was_caused_and_not_sent_is_counted_with_its_age(worker_database: Database) -> None:
    await add(
        worker_database,
        caused("a", age=500),
        caused("b", age=100),
        caused("sent", age=9_000, sent_epoch="epoch"),
    )

    samples = await scraped(of_outbox(worker_database))

    assert samples["queue_outbox_unsent",] == 2
    assert 500 <= samples["queue_outbox_oldest_seconds",] < 9_000
    assert samples["queue_handover_rows", "event"] == 3
    assert samples["queue_handover_oldest_seconds",] >= 9_000


async def test_what_the_gateway_has_not_confirmed_is_counted_by_its_kind(worker_database: Database) -> None:
    when = before(300)
    ran: dict[str, Any] = {"run": 0, "worker": "w", "started_at": when, "ended_at": when}
    inbox: dict[str, Any] = {"type": "ORDER_SHIPPED", "outcome": "completed", "digest": "d"}
    tried: dict[str, Any] = {"delivery": "1", "effort": "failed"}
    await add(
        worker_database,
        Inbox(event_id="told", unreported=False, **inbox, **ran),
        Inbox(event_id="untold", unreported=True, **inbox, **ran),
        Attempt(event_id="told", unreported=False, **tried, **ran),
        Attempt(event_id="untold", unreported=True, **tried, **ran),
    )

    samples = await scraped(of_outbox(worker_database))

    assert [samples["queue_handover_rows", kind] for kind in ("event", "attempt", "outcome")] == [0, 1, 1]
    assert samples["queue_handover_oldest_seconds",] >= 300


async def test_the_journal_counts_what_is_due_and_was_not_sent(gateway_database: Database) -> None:
    await add(
        gateway_database,
        journal_row("waits", age=500),
        journal_row("became due", age=9_000, not_before=before(60)),
        journal_row("delayed", age=9_000, not_before=before(-3600)),
        journal_row("sent", age=9_000, sent_epoch="epoch"),
        journal_row("ended", age=9_000, open=False),
    )

    samples = await scraped(JournalReading(gateway_database, JournalRow, QUEUES))

    assert samples["queue_journal_unsent", "orders"] == 2
    assert 500 <= samples["queue_journal_oldest_seconds", "orders"] < 9_000
    assert samples["queue_journal_unsent", "payments"] == 0


@pytest.mark.parametrize("kind", ["outbox", "journal"])
async def test_without_a_database_it_says_so_and_no_number(kind: str) -> None:
    database = Database(f"postgresql://nobody:x@127.0.0.1:{free_port()}/nothing")
    reading = of_outbox(database) if kind == "outbox" else JournalReading(database, JournalRow, QUEUES)

    samples = await scraped(reading)

    await database.close()
    assert samples["queue_database_up",] == 0
    assert not [
        name for name, *_ in samples if name.startswith(("queue_outbox", "queue_journal", "queue_hand"))
    ]
