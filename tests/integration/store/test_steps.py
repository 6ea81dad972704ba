"""A handler with an effect outside of the database: what is committed when, and who may make the call."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, col

from shared.events import Envelope, OrderCancelled
from shared.queue import AlreadyEndedError, PostponeError
from shared.queue.deadline import TimeLimitError
from shared.store.claims import Claimable, claim, release
from shared.store.database import Database
from shared.store.ledger import SqlLedger
from shared.store.steps import Steps, current_steps
from shared.store.tables import Inbox, Outbox
from support.deliveries import delivery, envelope, row, rows, undecodable

CANCELLED = OrderCancelled(order_id="o", reason="out_of_stock")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LASTING = timedelta(seconds=10)


class Intent(Claimable, table=True):
    """What a worker is about to do, in these tests."""

    __tablename__ = "intent_of_these_tests"  # pyright: ignore[reportAssignmentType] - SQLModel's own way

    id: str = Field(primary_key=True)


@pytest.fixture
async def intents(database: Database) -> None:
    columns = "id VARCHAR PRIMARY KEY, claim_owner VARCHAR, claim_until TIMESTAMP"
    async with database.transaction() as session:
        zone = "" if database.is_sqlite else " WITH TIME ZONE"
        await session.execute(text(f"CREATE TABLE {Intent.__tablename__} ({columns}{zone})"))
        await session.execute(insert(Intent).values(id="i"))


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database, source="payment-worker")


async def handle(ledger: SqlLedger, handler: Callable[[Steps], Awaitable[None]]) -> None:
    """The run of one event, as the queue does it."""
    async with ledger.steps(delivery()):
        await handler(current_steps())


async def do_nothing(steps: Steps) -> None:
    assert steps.envelope.id == "x"


async def test_a_step_is_committed_though_the_handler_fails_after_it(
    database: Database, ledger: SqlLedger
) -> None:
    async def fail_later(steps: Steps) -> None:
        async with steps.step() as unit:
            unit.publish(CANCELLED)
        raise KeyError

    with pytest.raises(KeyError):
        await handle(ledger, fail_later)

    assert (await row(database, Outbox)).causation_id == "x"
    assert await rows(database, Inbox) == []


async def test_no_transaction_is_open_between_the_steps(database: Database, ledger: SqlLedger) -> None:
    async def let_another_write(_: Steps) -> None:
        async with database.transaction() as session:  # on SQLite it would wait for one that is open
            await session.execute(text("DELETE FROM outbox"))

    await handle(ledger, let_another_write)

    assert (await row(database, Inbox)).outcome == "completed"


async def test_the_last_step_ends_the_run_with_what_it_causes(database: Database, ledger: SqlLedger) -> None:
    async def end(steps: Steps) -> None:
        async with steps.last() as unit:
            unit.publish(CANCELLED)

    await handle(ledger, end)

    ended = await row(database, Inbox)
    assert (ended.outcome, ended.unreported) == ("completed", True)
    assert (await row(database, Outbox)).causation_id == "x"


async def test_a_last_step_that_fails_leaves_the_run_unended(database: Database, ledger: SqlLedger) -> None:
    async def fail(steps: Steps) -> None:
        async with steps.last() as unit:
            unit.publish(CANCELLED)
            raise KeyError

    with pytest.raises(KeyError):
        await handle(ledger, fail)

    assert (await rows(database, Inbox), await rows(database, Outbox)) == ([], [])


async def test_a_handler_without_a_last_step_has_completed(database: Database, ledger: SqlLedger) -> None:
    await handle(ledger, do_nothing)

    assert (await row(database, Inbox)).outcome == "completed"


async def test_an_ended_run_is_not_entered_again_and_is_told_again(
    database: Database, ledger: SqlLedger
) -> None:
    await handle(ledger, do_nothing)
    async with database.transaction() as session:
        await session.execute(text("UPDATE inbox SET unreported = false"))
    entered: list[Steps] = []

    async def enter(steps: Steps) -> None:
        entered.append(steps)

    with pytest.raises(AlreadyEndedError):
        await handle(ledger, enter)

    assert not entered
    assert (await row(database, Inbox)).unreported


async def test_what_happened_outside_is_committed_though_a_copy_has_ended_the_run(
    database: Database, ledger: SqlLedger
) -> None:
    async def be_overtaken(steps: Steps) -> None:
        await ledger.bury(delivery(), "lost", ValueError())
        async with steps.last() as unit:
            unit.publish(CANCELLED)

    with pytest.raises(AlreadyEndedError):
        await handle(ledger, be_overtaken)

    assert (await row(database, Outbox)).causation_id == "x"
    assert (await row(database, Inbox)).outcome == "dead"


@pytest.mark.usefixtures("intents")
async def test_a_claim_keeps_others_away_until_its_time_is_over(database: Database) -> None:
    async def claimed(owner: str, now: datetime) -> bool:
        async with database.transaction() as session:
            this = col(Intent.id) == "i"
            return await claim(session, Intent, this, owner=owner, now=now, lasting=LASTING)

    assert await claimed("a", NOW)
    assert await claimed("a", NOW)
    assert not await claimed("b", NOW + timedelta(seconds=9))
    assert await claimed("b", NOW + LASTING)
    assert not await claimed("a", NOW + LASTING)


@pytest.mark.usefixtures("intents")
async def test_only_the_owner_can_release_a_claim(database: Database) -> None:
    this = col(Intent.id) == "i"
    async with database.transaction() as session:
        assert await claim(session, Intent, this, owner="a", now=NOW, lasting=LASTING)
        await release(session, Intent, this, owner="b")
        assert not await claim(session, Intent, this, owner="b", now=NOW, lasting=LASTING)
        await release(session, Intent, this, owner="a")
        assert await claim(session, Intent, this, owner="b", now=NOW, lasting=LASTING)


async def test_an_intent_that_is_not_there_cannot_be_claimed(database: Database, intents: None) -> None:
    async with database.transaction() as session:
        none = col(Intent.id) == "none"
        assert not await claim(session, Intent, none, owner="a", now=NOW, lasting=LASTING)


async def postponed_until_dead(ledger: SqlLedger, error: PostponeError, *, late: timedelta) -> timedelta:
    """How long a run waits in all, each try coming `late` after it was due."""
    now, waited, number = NOW, timedelta(), 0
    while True:
        number += 1
        verdict = await ledger.postpone(delivery(entry=f"{number}-0", fetched_at=now), error)
        if verdict.retry_in is None:
            return waited
        waited += verdict.retry_in
        now += verdict.retry_in + late


async def test_a_postponement_has_the_patience_that_it_says(ledger: SqlLedger) -> None:
    away = PostponeError("mail_server", at_most=timedelta(hours=2))

    waited = await postponed_until_dead(ledger, away, late=timedelta())

    assert timedelta(hours=2) < waited < timedelta(hours=2, minutes=6)


async def test_time_in_which_nobody_tried_is_not_held_against_an_event(ledger: SqlLedger) -> None:
    early = PostponeError("out_of_order")

    waited = await postponed_until_dead(ledger, early, late=timedelta(minutes=10))

    assert timedelta(minutes=5) < waited < timedelta(minutes=6)


async def test_each_reason_for_postponing_has_its_own_patience(ledger: SqlLedger) -> None:
    away, early = PostponeError("mail_server", at_most=timedelta(days=1)), PostponeError("out_of_order")
    for number in range(1, 60):
        await ledger.postpone(delivery(entry=f"{number}-0"), away)

    assert (await ledger.postpone(delivery(entry="60-0"), early)).retry_in


async def lose(ledger: SqlLedger) -> None:
    for starts in (1, 2):
        await ledger.begin_alone(delivery(deliveries=starts, limit=1))


WAYS_TO_END: dict[str, Callable[[SqlLedger], Awaitable[object]]] = {
    "completed": lambda ledger: handle(ledger, do_nothing),
    "dead by a failure": lambda ledger: ledger.fail(delivery(limit=1), TimeLimitError()),
    "dead at once": lambda ledger: ledger.bury(delivery(), "refused", ValueError()),
    "dead by the deaths of its workers": lose,
    "dead by waiting": lambda ledger: postponed_until_dead(ledger, PostponeError("away"), late=timedelta()),
    "expired": lambda ledger: ledger.expire(delivery()),
}


@pytest.mark.parametrize("doubt", [True, False])
@pytest.mark.parametrize("way", WAYS_TO_END)
async def test_however_a_run_ends_its_event_is_uncertain_if_the_effect_is_in_doubt(
    database: Database, way: str, doubt: bool
) -> None:
    asked: list[str] = []

    async def in_doubt(session: AsyncSession, envelope: Envelope) -> bool:
        assert session.in_transaction()
        asked.append(envelope.id)
        return doubt

    await WAYS_TO_END[way](SqlLedger(database, source="payment-worker", in_doubt=in_doubt))

    ended = await row(database, Inbox)
    assert ended.outcome == way.split(maxsplit=1)[0]
    assert (ended.uncertain, asked) == (doubt, ["x"])


async def test_doubt_that_comes_after_a_copy_has_ended_the_run_is_said_and_told_again(
    database: Database,
) -> None:
    doubts = iter([False, True, False])

    async def in_doubt(_: AsyncSession, __: Envelope) -> bool:
        return next(doubts)

    ledger = SqlLedger(database, source="payment-worker", in_doubt=in_doubt)
    await ledger.bury(delivery(), "order_cancelled", ValueError())
    async with database.transaction() as session:
        await session.execute(text("UPDATE inbox SET unreported = false"))

    verdicts = [await ledger.postpone(delivery(), PostponeError("unclear")) for _ in range(2)]

    assert [verdict.outcome for verdict in verdicts] == ["repeated"] * 2
    ended = await row(database, Inbox)
    assert (ended.outcome, ended.uncertain, ended.unreported) == ("dead", True, True)


async def test_who_only_uses_the_id_of_an_ended_event_makes_it_not_uncertain(database: Database) -> None:
    async def in_doubt(_: AsyncSession, __: Envelope) -> bool:
        return True

    await SqlLedger(database, source="payment-worker").bury(delivery(), "refused", ValueError())
    doubting = SqlLedger(database, source="payment-worker", in_doubt=in_doubt)

    other = CANCELLED.to_json()
    await doubting.bury(delivery(envelope(type=CANCELLED.type, data=other)), "refused", ValueError())

    first, conflict = sorted(await rows(database, Inbox), key=lambda each: each.event_id != "x")
    assert (first.uncertain, conflict.reason, conflict.uncertain) == (False, "id_conflict", False)


async def test_bytes_that_are_no_event_had_no_effect(database: Database) -> None:
    async def in_doubt(_: AsyncSession, __: Envelope) -> bool:
        raise AssertionError

    ledger = SqlLedger(database, source="payment-worker", in_doubt=in_doubt)

    await ledger.bury(undecodable(), "undecodable", ValueError())

    assert not (await row(database, Inbox)).uncertain
