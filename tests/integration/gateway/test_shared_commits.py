"""Requests that share a commit share no misfortune."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.adapters.writer import Answer, JournalWriter
from gateway.domain import Submission
from shared.store.database import Database
from shared.store.tables import Sendable


class NoRelay:
    def send_soon(self, rows: Sequence[Sendable]) -> None:
        pass


class Odd(JournalWriter):
    """Cannot commit anything that a certain submission is part of, for a reason that is no database's."""

    commits = 0

    async def _commit(self, submissions: Sequence[Submission]) -> Sequence[Answer]:
        self.commits += 1
        await asyncio.sleep(0.01)
        if any(submission.fingerprint == "odd" for submission in submissions):
            raise RuntimeError("odd")
        return [[] for _ in submissions]


async def test_an_unforeseen_error_is_one_requests_own(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    writer = Odd(database, NoRelay())
    submissions = [Submission(parts=(), key=None, fingerprint=name) for name in ("a", "b", "odd", "c")]

    async with asyncio.timeout(5):
        answers = await asyncio.gather(*map(writer.append, submissions), return_exceptions=True)

    assert [type(answer) for answer in answers] == [list, list, RuntimeError, list]
    assert writer.commits <= 6
    with pytest.raises(RuntimeError):
        await writer.append(submissions[2])
    await database.close()
