"""What the ledger commits for each way in which a delivery can go, and that a second time changes nothing."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from shared.events import OrderCancelled
from shared.queue import AlreadyEndedError, Delivery, GiveUpError, PostponeError, RetryLaterError, Verdict
from shared.store.database import Database
from shared.store.ledger import SqlLedger
from shared.store.tables import Attempt, Inbox, Outbox
from shared.store.unit import current_unit
from support.deliveries import delivery, envelope, row, rows, undecodable

CANCELLED = OrderCancelled(order_id="o", reason="out_of_stock")


class Told:
    """Hears of commits."""

    def __init__(self) -> None:
        self.commits: list[Sequence[Outbox]] = []

    def __call__(self, caused: Sequence[Outbox]) -> None:
        self.commits.append(caused)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def ledger(database: Database, told: Told) -> SqlLedger:
    return SqlLedger(database, source="order-worker", on_commit=told)


async def complete(ledger: SqlLedger, done: Delivery, *causes: OrderCancelled) -> None:
    async with ledger.transaction(done):
        for cause in causes:
            current_unit().publish(cause)


def _raised(error: Exception) -> Exception:
    """The error with the traceback of having been raised."""
    try:
        raise error
    except type(error) as raised:
        return raised


class TestCompleting:
    async def test_the_inbox_and_what_was_caused_are_committed_together(
        self, database: Database, ledger: SqlLedger, told: Told
    ) -> None:
        await complete(ledger, delivery(), CANCELLED)

        ended = await row(database, Inbox)
        assert (ended.event_id, ended.run, ended.outcome, ended.unreported) == ("x", 0, "completed", True)
        assert ended.raw is None
        caused = await row(database, Outbox)
        assert (caused.type, caused.queue, caused.source) == ("ORDER_CANCELLED", "orders", "order-worker")
        assert (caused.causation_id, caused.correlation_id, caused.subject) == ("x", "story", "order/o")
        assert (caused.open, caused.sent_epoch) == (True, None)
        assert [[event.id for event in commit] for commit in told.commits] == [[caused.id]]

    async def test_a_handler_that_raises_leaves_nothing(
        self, database: Database, ledger: SqlLedger, told: Told
    ) -> None:
        async def fail() -> None:
            async with ledger.transaction(delivery()):
                current_unit().publish(CANCELLED)
                raise KeyError

        with pytest.raises(KeyError):
            await fail()

        assert (await rows(database, Inbox), await rows(database, Outbox)) == ([], [])
        assert told.commits == []

    async def test_a_copy_finds_that_it_has_ended(
        self, database: Database, ledger: SqlLedger, told: Told
    ) -> None:
        await complete(ledger, delivery(), CANCELLED)

        with pytest.raises(AlreadyEndedError):
            await complete(ledger, delivery(entry="2-2"), CANCELLED)

        assert len(await rows(database, Outbox)) == 1
        assert len(told.commits) == 2

    async def test_a_copy_makes_the_outcome_due_for_the_gateway_again(
        self, database: Database, ledger: SqlLedger
    ) -> None:
        await complete(ledger, delivery())
        async with database.transaction() as session:
            await session.execute(text("UPDATE inbox SET unreported = false"))

        with pytest.raises(AlreadyEndedError):
            await complete(ledger, delivery(entry="2-2"))

        assert (await row(database, Inbox)).unreported

    async def test_another_run_is_not_a_copy(self, database: Database, ledger: SqlLedger) -> None:
        await complete(ledger, delivery())
        await complete(ledger, delivery(envelope(run=1), entry="2-2"))

        assert [ended.run for ended in await rows(database, Inbox)] == [0, 1]

    async def test_a_suspect_ends_its_start(self, database: Database, ledger: SqlLedger) -> None:
        suspect = delivery(deliveries=1)
        assert await ledger.begin_alone(suspect) is None

        await complete(ledger, suspect)

        assert (await row(database, Attempt)).effort == "ended"

    async def test_outside_of_a_handler_there_is_no_unit(self, ledger: SqlLedger) -> None:
        await complete(ledger, delivery())

        with pytest.raises(LookupError):
            current_unit()


class TestTheSameIdWithAnotherBody:
    OTHER = envelope(data='{"order_id":"p","carrier":"ups","tracking_number":"1"}')

    async def test_is_kept_as_a_dead_letter_of_its_own(self, database: Database, ledger: SqlLedger) -> None:
        await complete(ledger, delivery())
        conflict = delivery(self.OTHER, entry="2-2")

        with pytest.raises(AlreadyEndedError) as raised:
            await complete(ledger, conflict)

        assert (raised.value.verdict.outcome, raised.value.verdict.reason) == ("dead", "id_conflict")
        kept, first = await rows(database, Inbox)
        assert (kept.event_id, kept.outcome, kept.reason) == ("orders:2:2-2", "dead", "id_conflict")
        assert kept.raw == conflict.raw
        assert (first.event_id, first.outcome) == ("x", "completed")

    async def test_is_kept_once(self, database: Database, ledger: SqlLedger) -> None:
        await complete(ledger, delivery())

        outcomes: list[str] = []
        for _ in range(2):
            with pytest.raises(AlreadyEndedError) as raised:
                await complete(ledger, delivery(self.OTHER, entry="2-2"))
            outcomes.append(raised.value.verdict.outcome)

        assert outcomes == ["dead", "repeated"]
        assert len(await rows(database, Inbox)) == 2


class TestFailing:
    async def test_a_failed_attempt_is_kept_with_its_traceback(
        self, database: Database, ledger: SqlLedger
    ) -> None:
        verdict = await ledger.fail(delivery(), _raised(KeyError("mug\x00\ud800")))

        attempt = await row(database, Attempt)
        assert (attempt.effort, attempt.reason, attempt.unreported) == ("failed", "KeyError", True)
        assert "test_ledger.py" in str(attempt.traceback)
        assert verdict.outcome == "failed"
        assert verdict.retry_in is not None
        assert attempt.retry_at is not None
        assert await rows(database, Inbox) == []

    async def test_the_last_one_is_the_death_of_the_run(self, database: Database, ledger: SqlLedger) -> None:
        event = envelope()
        tries = [delivery(event, entry=f"{n}-1") for n in range(3)]

        verdicts = [await ledger.fail(each, ValueError("bug")) for each in tries]

        assert [verdict.outcome for verdict in verdicts] == ["failed", "failed", "dead"]
        ended = await row(database, Inbox)
        assert (ended.outcome, ended.reason, ended.error) == ("dead", "ValueError", "bug")
        assert ended.raw == tries[-1].raw

    async def test_the_same_delivery_fails_once(self, database: Database, ledger: SqlLedger) -> None:
        verdicts = [await ledger.fail(delivery(), ValueError("bug")) for _ in range(5)]

        assert {verdict.outcome for verdict in verdicts} == {"failed"}
        assert len(await rows(database, Attempt)) == 1

    async def test_after_the_end_it_is_a_repetition(self, database: Database, ledger: SqlLedger) -> None:
        await complete(ledger, delivery())

        assert await ledger.fail(delivery(entry="2-2"), ValueError("late")) == Verdict("repeated")
        assert (await row(database, Inbox)).outcome == "completed"
        assert await rows(database, Attempt) == []

    async def test_runs_are_counted_apart(self, ledger: SqlLedger) -> None:
        for n in range(2):
            await ledger.fail(delivery(entry=f"{n}-1"), ValueError())

        verdict = await ledger.fail(delivery(envelope(run=1), entry="9-1"), ValueError())

        assert verdict.outcome == "failed"

    async def test_a_handler_may_say_when(self, ledger: SqlLedger) -> None:
        later = RetryLaterError("away", after=timedelta(minutes=7))

        assert (await ledger.fail(delivery(), later)).retry_in == timedelta(minutes=7)

    async def test_a_long_error_is_shortened(self, database: Database, ledger: SqlLedger) -> None:
        await ledger.fail(delivery(), ValueError("x" * 1_000_000))

        attempt = await row(database, Attempt)
        assert len(str(attempt.error)) == 2_000


class TestPostponing:
    async def test_it_is_no_failure(self, database: Database, ledger: SqlLedger) -> None:
        for n in range(9):
            verdict = await ledger.postpone(delivery(entry=f"{n}-1", limit=1), PostponeError("order_missing"))
            assert verdict.outcome == "postponed"

        assert {attempt.effort for attempt in await rows(database, Attempt)} == {"postponed"}
        assert (await ledger.fail(delivery(entry="9-1", limit=2), ValueError())).outcome == "failed"

    async def test_after_five_minutes_of_it_it_is_dead(self, database: Database, ledger: SqlLedger) -> None:
        waited, numbers = timedelta(), itertools.count(1)
        while True:
            early = delivery(entry=f"{next(numbers)}-0")
            verdict = await ledger.postpone(early, PostponeError("order_missing"))
            if verdict.retry_in is None:
                break
            assert waited <= timedelta(minutes=5)
            waited += verdict.retry_in

        assert (verdict.outcome, waited > timedelta(minutes=5)) == ("dead", True)
        ended = await row(database, Inbox)
        assert (ended.outcome, ended.reason) == ("dead", "order_missing")

    async def test_after_the_end_it_is_a_repetition(self, ledger: SqlLedger) -> None:
        await complete(ledger, delivery())

        assert await ledger.postpone(delivery(entry="2-2"), PostponeError("early")) == Verdict("repeated")


class TestBurying:
    async def test_the_bytes_are_kept_as_they_came(self, database: Database, ledger: SqlLedger) -> None:
        dead = undecodable()

        assert await ledger.bury(dead, "undecodable", ValueError("garbage")) == Verdict("dead")

        ended = await row(database, Inbox)
        assert (ended.event_id, ended.raw) == ("orders:2:1-1", b"\xff\x00garbage")
        assert (ended.reason, ended.error) == ("undecodable", "garbage")

    async def test_the_same_bytes_in_another_place_are_another_dead_letter(
        self, database: Database, ledger: SqlLedger
    ) -> None:
        for entry in ("1-1", "1-1", "2-2"):
            await ledger.bury(undecodable(entry=entry), "undecodable", ValueError())

        assert len(await rows(database, Inbox)) == 2

    async def test_after_the_end_it_is_a_repetition(self, database: Database, ledger: SqlLedger) -> None:
        await complete(ledger, delivery())

        verdict = await ledger.bury(delivery(entry="2-2"), "no_such_sku", GiveUpError("no_such_sku"))

        assert verdict == Verdict("repeated")
        assert (await row(database, Inbox)).outcome == "completed"

    async def test_nothing_runs_after_it(self, ledger: SqlLedger) -> None:
        await ledger.bury(delivery(), "no_such_sku", GiveUpError("no_such_sku"))

        with pytest.raises(AlreadyEndedError):
            await complete(ledger, delivery(entry="2-2"))


class TestExpiring:
    async def test_it_is_an_end(self, database: Database, ledger: SqlLedger) -> None:
        assert await ledger.expire(delivery()) == Verdict("expired")
        assert await ledger.expire(delivery(entry="2-2")) == Verdict("repeated")

        assert (await row(database, Inbox)).outcome == "expired"


class TestSuspects:
    async def test_the_try_in_which_it_became_one_is_not_charged(
        self, database: Database, ledger: SqlLedger
    ) -> None:
        assert await ledger.begin_alone(delivery(deliveries=1, limit=1)) is None

        assert [attempt.effort for attempt in await rows(database, Attempt)] == ["started"]

    @pytest.mark.parametrize("limit", [1, 2, 5])
    async def test_one_that_always_dies_is_started_once_more_than_its_limit(
        self, database: Database, ledger: SqlLedger, limit: int
    ) -> None:
        starts, verdict = 1, None  # the first was not alone, and left nothing
        while verdict is None:
            verdict = await ledger.begin_alone(delivery(deliveries=starts, limit=limit))
            starts += verdict is None

        assert starts == limit + 1
        assert verdict == Verdict("dead")
        ended = await row(database, Inbox)
        assert (ended.outcome, ended.reason) == ("dead", "lost")
        lost = [attempt for attempt in await rows(database, Attempt) if attempt.effort == "lost"]
        assert len(lost) == limit
        assert all(attempt.unreported and attempt.ended_at for attempt in lost)

    async def test_the_same_start_again_is_no_loss(self, database: Database, ledger: SqlLedger) -> None:
        for _ in range(5):
            assert await ledger.begin_alone(delivery(deliveries=1, limit=1)) is None

        assert (await row(database, Attempt)).effort == "started"

    async def test_a_start_is_not_reported(self, database: Database, ledger: SqlLedger) -> None:
        await ledger.begin_alone(delivery(deliveries=1))

        assert not (await row(database, Attempt)).unreported

    async def test_a_start_of_another_entry_is_no_loss(self, database: Database, ledger: SqlLedger) -> None:
        await ledger.begin_alone(delivery(deliveries=1, limit=1))

        assert await ledger.begin_alone(delivery(entry="1-12", deliveries=1, limit=1)) is None
        assert {attempt.effort for attempt in await rows(database, Attempt)} == {"started"}

    async def test_a_start_whose_owner_may_live_is_no_failure(self, ledger: SqlLedger) -> None:
        await ledger.begin_alone(delivery(entry="9-9", deliveries=1, limit=2))

        assert (await ledger.fail(delivery(limit=2), ValueError())).outcome == "failed"

    async def test_the_failure_of_a_zombie_that_was_declared_lost_counts_once(
        self, database: Database, ledger: SqlLedger
    ) -> None:
        zombie, taker = delivery(deliveries=1), delivery(deliveries=2)
        await ledger.begin_alone(zombie)
        await ledger.begin_alone(taker)

        verdict = await ledger.fail(zombie, ValueError("late"))

        assert verdict.outcome == "failed"
        assert [attempt.effort for attempt in await rows(database, Attempt)] == ["lost", "started"]
        assert (await ledger.fail(taker, ValueError())).outcome == "failed"
        assert (await ledger.fail(delivery(entry="3-3"), ValueError())).outcome == "dead"

    async def test_a_zombie_that_completes_first_leaves_nothing_to_the_taker(
        self, database: Database, ledger: SqlLedger
    ) -> None:
        zombie, taker = delivery(deliveries=1), delivery(deliveries=2)
        await ledger.begin_alone(zombie)
        await ledger.begin_alone(taker)
        await complete(ledger, zombie, CANCELLED)

        with pytest.raises(AlreadyEndedError):
            await complete(ledger, taker, CANCELLED)

        assert len(await rows(database, Outbox)) == 1

    async def test_one_that_has_ended_is_not_started(self, database: Database, ledger: SqlLedger) -> None:
        await complete(ledger, delivery())

        assert await ledger.begin_alone(delivery(deliveries=1)) == Verdict("repeated")
        assert await rows(database, Attempt) == []

    async def test_one_that_is_dead_leaves_no_start_open(self, database: Database, ledger: SqlLedger) -> None:
        suspect = delivery(deliveries=1)
        await ledger.begin_alone(suspect)

        await ledger.bury(suspect, "no_such_sku", GiveUpError("no_such_sku"))

        assert (await row(database, Attempt)).effort == "ended"

    async def test_one_that_was_too_early_too_long_leaves_no_start_open(
        self, database: Database, ledger: SqlLedger
    ) -> None:
        long_ago = datetime.now(UTC) - timedelta(minutes=6)
        await ledger.postpone(delivery(started_at=long_ago), PostponeError("early"))
        suspect = delivery(entry="2-2", deliveries=1)
        await ledger.begin_alone(suspect)

        await ledger.postpone(suspect, PostponeError("early"))

        assert "started" not in {attempt.effort for attempt in await rows(database, Attempt)}
