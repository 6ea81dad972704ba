"""What an event causes belongs to its trace, whether or not the worker itself reports traces."""

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.events import OrderCancelled
from shared.queue import AlreadyEndedError, Delivery, ExpiredError, GiveUpError, Ledger, PostponeError
from shared.service.tracing.queue import TracedLedger
from shared.service.tracing.spans import Tracing
from shared.store.database import Database
from shared.store.ledger import SqlLedger
from shared.store.reports import report_event
from shared.store.steps import current_steps
from shared.store.tables import Outbox
from shared.store.unit import current_unit
from support.deliveries import delivery, envelope, rows

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-1122334455667788-01"
CAUSED = OrderCancelled(order_id="o", reason="changed_mind")


async def run(ledger: Ledger, taken: Delivery, error: Exception | None = None) -> None:
    async with ledger.transaction(taken):
        current_unit().publish(CAUSED)
        if error:
            raise error


class Traced:
    """A ledger that reports, and what it reported."""

    def __init__(self, database: Database) -> None:
        self._exporter = InMemorySpanExporter()
        self._tracing = Tracing("order-worker", self._exporter)
        self.ledger = TracedLedger(self._tracing, SqlLedger(database, source="test"))

    async def attributes(self) -> dict[str, object]:
        await self._tracing.close()
        (span,) = self._exporter.get_finished_spans()
        return {"name": span.name, "error": span.status.description, **(span.attributes or {})}


async def test_a_worker_that_reports_nothing_passes_the_trace_on(database: Database) -> None:
    await run(SqlLedger(database, source="test"), delivery(envelope(traceparent=PARENT)))

    (row,) = await rows(database, Outbox)
    assert row.traceparent == PARENT
    assert report_event(row).traceparent == PARENT
    assert row.envelope().traceparent == PARENT


async def test_what_has_no_trace_causes_none(database: Database) -> None:
    await run(SqlLedger(database, source="test"), delivery())

    (row,) = await rows(database, Outbox)
    assert row.traceparent is None


async def test_a_worker_that_reports_lets_its_own_span_be_the_cause(database: Database) -> None:
    traced, taken = Traced(database), delivery(envelope(traceparent=PARENT))

    await run(traced.ledger, taken)

    (row,) = await rows(database, Outbox)
    assert row.traceparent == taken.traceparent
    assert row.traceparent is not None
    assert row.traceparent != PARENT
    assert row.traceparent.split("-")[1] == TRACE
    assert (await traced.attributes())["queue.outcome"] == "completed"


async def test_so_does_one_whose_effect_lies_outside(database: Database) -> None:
    traced, taken = Traced(database), delivery(envelope(traceparent=PARENT))

    async with traced.ledger.steps(taken), current_steps().last() as unit:
        unit.publish(CAUSED)

    (row,) = await rows(database, Outbox)
    assert row.traceparent == taken.traceparent


async def test_a_copy_of_what_had_ended_is_reported_as_one(database: Database) -> None:
    await run(SqlLedger(database, source="test"), delivery())
    traced = Traced(database)

    with pytest.raises(AlreadyEndedError):
        await run(traced.ledger, delivery(entry="2-2"))

    said = await traced.attributes()
    assert (said["queue.outcome"], said["error"]) == ("repeated", None)


async def test_too_early_and_too_late_are_no_errors_and_giving_up_is_one(database: Database) -> None:
    early, late, hopeless = Traced(database), Traced(database), Traced(database)

    for traced, error in (
        (early, PostponeError("out_of_order")),
        (late, ExpiredError()),
        (hopeless, GiveUpError("no_such_sku")),
    ):
        with pytest.raises(type(error)):
            await run(traced.ledger, delivery(), error)

    said = await early.attributes()
    assert (said["queue.outcome"], said["queue.reason"], said["error"]) == (
        "postponed",
        "out_of_order",
        None,
    )
    said = await late.attributes()
    assert (said["queue.outcome"], said["error"]) == ("expired", None)
    said = await hopeless.attributes()
    assert (said["queue.outcome"], said["error"]) == ("dead", "no_such_sku")
