"""Hand-overs that touch the same rows at the same time: one waits for the other, and none fails."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg.errors import LockNotAvailable

from integration.gateway.house import House, open_house
from integration.gateway.reports import NOW, attempt, caused, outcome
from shared.store.migrate import migrate
from support import eventually

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)

LOCK = "SELECT id FROM journal WHERE id = %s FOR UPDATE NOWAIT"
AS_THEY_LIE = "-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off"
"""Rows are found as the table holds them, so that no index gives them the order that is asked of the code."""


@pytest.fixture
async def house(postgres_url: str) -> AsyncGenerator[House]:
    migrate(postgres_url, "gateway")
    async with open_house(f"{postgres_url}?options={quote(AS_THEY_LIE)}") as house:
        yield house


def _batch(**reports: list[dict[str, Any]]) -> dict[str, Any]:
    return {"events": [], "attempts": [], "outcomes": [], **reports}


def _death_at_its_first_try(event_id: str) -> dict[str, Any]:
    return outcome(event_id, "dead", started_at=attempt(event_id)["started_at"])


def _lock(table: str) -> str:
    return f"LOCK TABLE {table} IN EXCLUSIVE MODE"


INSERT_EVENT = f"""
INSERT INTO journal (id, run, type, queue, source, time, correlation_id, data, priority, created_at, open,
                     status, attempts, uncertain, filled)
VALUES ('m', 0, 'x', 'x', '', '{NOW}', 'x', '', 'normal', '{NOW}', true, 'waiting', 0, false, true)
"""
INSERT_TRY = f"""
INSERT INTO journal_attempt (event_id, run, started_at, ended_at, effort, worker)
VALUES ('m', 0, '{attempt("m")["started_at"]}', '{NOW}', 'failed', 'x')
"""

Batches = tuple[dict[str, Any], dict[str, Any]]

CROSSINGS: dict[str, tuple[str, list[str], Batches]] = {
    # name: what brings both to a stand half-way, the events there are, the batches
    "an end here and a try there": (
        _lock("dead_letter"),
        ["a", "b"],
        (
            _batch(outcomes=[outcome("b", "dead")], attempts=[attempt("a")]),
            _batch(outcomes=[outcome("a", "dead")], attempts=[attempt("b")]),
        ),
    ),
    "a known event here and its end there": (
        _lock("journal_attempt"),
        ["a", "b"],
        (
            _batch(events=[caused("b")], outcomes=[outcome("a")], attempts=[attempt("x")]),
            _batch(events=[caused("a")], outcomes=[outcome("b")], attempts=[attempt("y")]),
        ),
    ),
    "an event here and its end there": (
        _lock("journal_attempt"),
        [],
        (
            _batch(events=[caused("b")], outcomes=[outcome("a")], attempts=[attempt("x")]),
            _batch(events=[caused("a")], outcomes=[outcome("b")], attempts=[attempt("y")]),
        ),
    ),
    "an event here and its end there, and one that both have": (
        INSERT_EVENT,
        [],
        (
            _batch(events=[caused("z"), caused("m")], outcomes=[outcome("a")]),
            _batch(events=[caused("a"), caused("m")], outcomes=[outcome("z")]),
        ),
    ),
    "a failed try here and the death that it brought there": (
        _lock("dead_letter"),
        [],
        (
            _batch(attempts=[attempt("b")], outcomes=[_death_at_its_first_try("a")]),
            _batch(attempts=[attempt("a")], outcomes=[_death_at_its_first_try("b")]),
        ),
    ),
    "a failed try here and its end there, and one that both have": (
        INSERT_TRY,
        [],
        (
            _batch(attempts=[attempt("b"), attempt("m")], outcomes=[_death_at_its_first_try("a")]),
            _batch(attempts=[attempt("a"), attempt("m")], outcomes=[_death_at_its_first_try("b")]),
        ),
    ),
}


@pytest.mark.parametrize(("hold", "known", "batches"), CROSSINGS.values(), ids=CROSSINGS)
async def test_batches_that_cross_are_both_taken(
    house: House, postgres_url: str, hold: str, known: list[str], batches: Batches
) -> None:
    """Somebody holds what both need on their way, so that they cross for certain."""
    await _take(house, events=[caused(event_id) for event_id in known])

    async with (
        await psycopg.AsyncConnection.connect(postgres_url) as holding,
        await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as watching,
    ):
        await holding.execute(hold.encode())
        crossing = [asyncio.create_task(house.hand_over(batch)) for batch in batches]
        await eventually(lambda: _are_waiting(watching, 2))
        await holding.rollback()
        answers = await asyncio.gather(*crossing)

    assert [answer.status_code for answer in answers] == [204, 204], [answer.text for answer in answers]


@pytest.mark.parametrize(("held", "locked_by_then"), [("a", set[str]()), ("m", {"a"}), ("z", {"a", "m"})])
async def test_known_events_are_locked_in_the_order_of_their_ids(
    house: House, postgres_url: str, held: str, locked_by_then: set[str]
) -> None:
    """While somebody else holds one, those before it are locked and those behind it are not."""
    known = ["z", "a", "m"]
    for event_id in known:
        await _take(house, events=[caused(event_id)])

    async with (
        await psycopg.AsyncConnection.connect(postgres_url) as holding,
        await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as watching,
    ):
        await holding.execute(LOCK, [held])
        taking = asyncio.create_task(_take(house, attempts=[attempt(event_id) for event_id in known]))
        await eventually(lambda: _are_waiting(watching, 1))
        assert {each for each in known if each != held and await _is_locked(watching, each)} == locked_by_then
        await holding.rollback()
        await taking


async def _take(house: House, **reports: Any) -> None:
    answer = await house.hand_over(_batch(**reports))
    assert answer.status_code == 204, answer.text


async def _are_waiting(watching: psycopg.AsyncConnection, number: int) -> bool:
    return await (await watching.execute(WAITING)).fetchone() == (number,)


async def _is_locked(connection: psycopg.AsyncConnection, event_id: str) -> bool:
    try:
        await connection.execute(LOCK, [event_id])
    except LockNotAvailable:
        return True
    return False
