import asyncio
from collections.abc import Sequence

import pytest

from gateway.domain import Entry, KeyReusedError, Receipt, Result, Status, Submission
from gateway.service import Publishing
from shared.service.keys import Principal
from shared.service.problem import Kind, Problem
from shared.store.tables import utc_now

SHOP = Principal("shop", frozenset({"events:write"}))
MAIL = {"type": "SEND_EMAIL", "data": {"to": "a@example.com", "subject": "x", "text": "x"}}


class SlowJournal:
    """Implements `Journal`: commits when it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.at_once = 0
        self.most_at_once = 0
        self.kept: list[Submission] = []

    async def append(self, submission: Submission) -> Sequence[Result]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.let.wait()
        self.at_once -= 1
        self.kept.append(submission)
        return [_receipt(part) if isinstance(part, Entry) else part for part in submission.parts]


class ForgetfulJournal:
    """Implements `Journal`: every key belongs to another body."""

    async def append(self, submission: Submission) -> Sequence[Result]:
        raise KeyReusedError


def _receipt(entry: Entry) -> Receipt:
    envelope = entry.envelope
    return Receipt(
        id=envelope.id, type=envelope.type, queue=entry.queue, status=Status.WAITING, duplicate=False
    )


async def test_a_second_request_with_a_key_waits_a_while_and_is_told_to_come_again() -> None:
    journal = SlowJournal()
    publishing = Publishing(journal, clock=utc_now, patience=0.05)
    first = asyncio.create_task(publishing.publish(MAIL, SHOP, "k"))
    await asyncio.sleep(0)

    with pytest.raises(Problem) as raised:
        await publishing.publish(MAIL, SHOP, "k")
    journal.let.set()

    assert isinstance(await first, Receipt)
    assert (raised.value.kind, raised.value.headers) == (Kind.KEY_IN_USE, {"Retry-After": "1"})


async def test_requests_with_one_key_come_one_after_the_other() -> None:
    journal = SlowJournal()
    publishing = Publishing(journal, clock=utc_now)
    requests = [asyncio.create_task(publishing.publish(MAIL, SHOP, "k")) for _ in range(5)]
    await asyncio.sleep(0)
    journal.let.set()

    await asyncio.gather(*requests)

    assert (journal.most_at_once, len(journal.kept)) == (1, 5)


async def test_requests_with_other_keys_do_not_wait() -> None:
    journal = SlowJournal()
    publishing = Publishing(journal, clock=utc_now)
    others = Principal("other", SHOP.scopes)
    requests = [
        asyncio.create_task(publishing.publish(MAIL, principal, key))
        for principal, key in ((SHOP, "a"), (SHOP, "b"), (others, "a"), (SHOP, None), (SHOP, None))
    ]
    await asyncio.sleep(0.01)
    journal.let.set()

    await asyncio.gather(*requests)

    assert journal.most_at_once == 5


async def test_a_key_of_another_body_is_told_apart() -> None:
    publishing = Publishing(ForgetfulJournal(), clock=utc_now)

    with pytest.raises(Problem) as raised:
        await publishing.publish(MAIL, SHOP, "k")

    assert raised.value.kind is Kind.KEY_REUSED
