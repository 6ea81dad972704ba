"""Statements on rows that may be there already, on both databases."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, bindparam
from sqlmodel import col

from shared.store.database import Database
from shared.store.statements import add_new, insert_new, update_each, upsert
from shared.store.tables import Attempt, Effort, Outbox, sendable_columns
from support.deliveries import envelope, row, rows

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def outbox(id: str, queue: str = "orders") -> dict[str, Any]:  # noqa: A002 its column
    return {**sendable_columns(envelope(id), queue), "created_at": NOON, "open": True}


def attempt(effort: Effort, **columns: Any) -> dict[str, Any]:
    key = {"event_id": "x", "run": 0, "delivery": "1"}
    return {**key, "effort": effort, "worker": "w", "started_at": NOON, "reason": None, **columns}


async def test_a_row_is_added_once_and_the_first_one_stays(database: Database) -> None:
    async with database.transaction() as session:
        added = [await add_new(session, Outbox, outbox("a", queue)) for queue in ("orders", "inventory")]

    assert added == [True, False]
    assert (await row(database, Outbox)).queue == "orders"


async def test_of_many_rows_those_that_are_new_are_told(database: Database) -> None:
    async with database.transaction() as session:
        await add_new(session, Outbox, outbox("b"))

        new = await insert_new(session, Outbox, [outbox(each) for each in ("a", "b", "c", "c")], "id")

    assert sorted(new) == ["a", "c"]
    assert [each.id for each in await rows(database, Outbox)] == ["a", "b", "c"]


async def test_what_is_there_is_overwritten(database: Database) -> None:
    async with database.transaction() as session:
        await upsert(session, Attempt, [attempt(Effort.STARTED)])

        await upsert(session, Attempt, [attempt(Effort.FAILED, reason="bug"), attempt(Effort.LOST, run=1)])

    first, second = await rows(database, Attempt)
    assert (first.effort, first.reason, second.effort) == ("failed", "bug", "lost")


async def test_what_is_there_is_overwritten_only_where_it_may_be(database: Database) -> None:
    async with database.transaction() as session:
        await upsert(session, Attempt, [attempt(Effort.LOST)])

        is_started = col(Attempt.effort) == Effort.STARTED
        await upsert(session, Attempt, [attempt(Effort.FAILED)], where=is_started)

    assert (await row(database, Attempt)).effort == "lost"


async def test_each_row_is_updated_where_its_condition_holds(database: Database) -> None:
    changes = [{"its_id": "a", "priority": "high"}, {"its_id": "b", "priority": "low"}]
    async with database.transaction() as session:
        await insert_new(session, Outbox, [outbox("a"), outbox("b", "inventory")], "id")

        await update_each(
            session, Outbox, lambda c: and_(c.id == bindparam("its_id"), c.queue == "orders"), changes
        )

    assert [each.priority for each in await rows(database, Outbox)] == ["high", "normal"]


async def test_no_rows_are_no_statement(database: Database) -> None:
    async with database.transaction() as session:
        assert await insert_new(session, Outbox, [], "id") == []
        await upsert(session, Outbox, [])
        await update_each(session, Outbox, lambda c: c.id == bindparam("its_id"), [])

    assert await rows(database, Outbox) == []
