"""A verdict says why a run did not complete."""

import pytest

from shared.queue import GiveUpError, Ledger, MemoryLedger, PostponeError, RetryLaterError
from shared.store.database import Database
from shared.store.ledger import SqlLedger
from support.deliveries import delivery


@pytest.fixture(params=["sql", "memory"])
def ledger(request: pytest.FixtureRequest, database: Database) -> Ledger:
    return SqlLedger(database, source="test") if request.param == "sql" else MemoryLedger()


@pytest.mark.parametrize(
    ("limit", "outcome"), [(3, "failed"), (1, "dead")], ids=["one of several tries", "the last try"]
)
@pytest.mark.parametrize(
    ("error", "reason"), [(RetryLaterError("provider_busy"), "provider_busy"), (KeyError("sku"), "KeyError")]
)
async def test_a_failed_try_says_the_handlers_word_or_the_errors_name(
    ledger: Ledger, limit: int, outcome: str, error: Exception, reason: str
) -> None:
    verdict = await ledger.fail(delivery(limit=limit), error)

    assert (verdict.outcome, verdict.reason) == (outcome, reason)


async def test_a_postponed_one_says_what_it_waits_for(ledger: Ledger) -> None:
    verdict = await ledger.postpone(delivery(), PostponeError("out_of_order", "order 1042 is not there"))

    assert (verdict.outcome, verdict.reason) == ("postponed", "out_of_order")


async def test_a_dead_one_says_why(ledger: Ledger) -> None:
    verdict = await ledger.bury(delivery(), "no_such_sku", GiveUpError("no_such_sku"))

    assert (verdict.outcome, verdict.reason) == ("dead", "no_such_sku")


async def test_one_that_was_lost_too_often_says_so(ledger: Ledger) -> None:
    for taken in (1, 2):
        verdict = await ledger.begin_alone(delivery(deliveries=taken, limit=1))

    assert verdict is not None
    assert (verdict.outcome, verdict.reason) == ("dead", "lost")
