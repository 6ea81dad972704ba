"""The journal's writer on SQLite: which requests share a commit, and what reaches the relay."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta

import pytest

from gateway.adapters.writer import JournalWriter
from gateway.domain import Entry, Receipt, Submission
from gateway.publication import read_entry
from shared.service.keys import Principal
from shared.store.database import Database
from shared.store.migrate import migrate
from shared.store.tables import Sendable, utc_now

SHOP = Principal("shop", frozenset({"events:write"}))


class RecordingRelay:
    """Implements `SendsSoon`: one list a commit."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []

    def send_soon(self, rows: Sequence[Sendable]) -> None:
        self.commits.append([row.id for row in rows])


@pytest.fixture
async def database(sqlite_url: str) -> AsyncGenerator[Database]:
    migrate(sqlite_url, "gateway")
    database = Database(sqlite_url)
    yield database
    await database.close()


def _mail(event_id: str, *, now: datetime | None = None, **attributes: object) -> Entry:
    data = {"to": "a@example.com", "subject": "x", "text": "x"}
    return read_entry(
        {"type": "SEND_EMAIL", "data": data, "id": event_id, **attributes}, SHOP, now or utc_now()
    )


def _submission(*entries: Entry) -> Submission:
    return Submission(entries, fingerprint="")


async def test_requests_that_come_during_a_commit_share_the_next_one(database: Database) -> None:
    relay = RecordingRelay()
    writer = JournalWriter(database, relay)

    await asyncio.gather(*(writer.append(_submission(_mail(f"e-{n}"))) for n in range(10)))

    assert sum(map(len, relay.commits)) == 10
    assert len(relay.commits) <= 2


async def test_a_commit_is_bounded_but_never_splits_a_request(database: Database) -> None:
    relay = RecordingRelay()
    writer = JournalWriter(database, relay)
    requests = [_submission(*(_mail(f"e-{r}-{n}") for n in range(400))) for r in range(5)]

    results = await asyncio.gather(*map(writer.append, requests))

    assert [len(result) for result in results] == [400] * 5
    assert all(len(commit) in {400, 800} for commit in relay.commits)


async def test_the_relay_hears_of_new_rows_only_and_after_their_commit(database: Database) -> None:
    relay = RecordingRelay()
    writer = JournalWriter(database, relay)
    await writer.append(_submission(_mail("e-1")))

    await writer.append(_submission(_mail("e-1"), _mail("e-2")))

    assert relay.commits == [["e-1"], ["e-2"]]


async def test_of_two_equal_events_in_one_commit_one_is_the_duplicate(database: Database) -> None:
    writer = JournalWriter(database, RecordingRelay())

    results = await writer.append(_submission(_mail("e-1"), _mail("e-1"), _mail("e-1", priority="high")))

    first, second, other = results
    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert (first.duplicate, second.duplicate) == (False, True)
    assert not isinstance(other, Receipt)


async def test_an_event_that_comes_too_late_is_refused_unless_it_is_known(database: Database) -> None:
    relay = RecordingRelay()
    writer = JournalWriter(database, relay)
    now = utc_now()
    ends, too_late = (now + timedelta(minutes=1)).isoformat(), now + timedelta(minutes=2)
    await writer.append(_submission(_mail("known", now=now, expires_at=ends)))

    known, late = await writer.append(
        _submission(*(_mail(name, now=too_late, expires_at=ends) for name in ("known", "late")))
    )

    assert isinstance(known, Receipt)
    assert not isinstance(late, Receipt)
    assert relay.commits == [["known"], []]


async def test_a_request_that_is_given_up_does_not_take_its_neighbours_along(database: Database) -> None:
    writer = JournalWriter(database, RecordingRelay())
    requests = [asyncio.create_task(writer.append(_submission(_mail(f"e-{n}")))) for n in range(6)]
    await asyncio.sleep(0.002)
    requests[0].cancel()
    requests[3].cancel()

    results = await asyncio.gather(*requests, return_exceptions=True)

    assert [isinstance(result, asyncio.CancelledError) for result in results] == [
        True,
        False,
        False,
        True,
        False,
        False,
    ]
