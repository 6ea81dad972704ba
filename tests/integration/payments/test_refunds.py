"""Refunds in a worker's database, with the sandbox: never more than was taken, never twice."""

import asyncio

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from adapters.provider import FakeProvider, Trouble
from adapters.sandbox import Sandbox
from integration.payments.shop import AUTHORIZED, REFUNDED, Shop
from payment_worker.adapters.tables import PaymentRow
from payment_worker.ports import ProviderAwayError, UnclearError
from shared.events.payments import PaymentRefunded
from shared.store.database import Database

CAPTURED = ("capture", "payment-1", 3700)


def refunded(**changes: object) -> PaymentRefunded:
    return REFUNDED.model_copy(update=changes)


def part(amount: int, refund_id: str = "refund-1") -> PaymentRefunded:
    return refunded(amount=amount, currency="EUR", refund_id=refund_id)


@pytest.fixture
async def _paid(shop: Shop) -> None:
    assert await shop.deliver(AUTHORIZED, "paid") == "completed"


@pytest.mark.usefixtures("_paid")
@pytest.mark.parametrize("payment_id", ["payment-1", None])
async def test_all_of_it_goes_back_once(shop: Shop, sandbox: Sandbox, payment_id: str | None) -> None:
    event = refunded(payment_id=payment_id)

    assert await shop.deliver(event) == "completed"
    assert await shop.deliver(event) == "repeated"
    assert await shop.deliver(event, "event-2") == "completed"
    assert await shop.deliver(refunded(refund_id="refund-2"), "event-3") == "completed"

    assert await shop.status() == "refunded"
    assert sandbox.moved() == [CAPTURED, ("refund", "payment-1", 3700)]
    assert sandbox.ledger()[-1]["idempotency_key"] == "refund:refund-1"
    assert await shop.caused() == ["ORDER_PAID", "refund"]


@pytest.mark.usefixtures("_paid")
async def test_parts_go_back_and_no_more_than_was_taken(shop: Shop, sandbox: Sandbox) -> None:
    assert await shop.deliver(part(700)) == "completed"
    assert await shop.status() == "partly_refunded"
    assert await shop.deliver(part(3001, "refund-2"), "event-2") == "dead refund_exceeds_capture"
    assert await shop.deliver(part(3000, "refund-3"), "event-3") == "completed"

    assert await shop.status() == "refunded"
    assert sandbox.moved() == [CAPTURED, ("refund", "payment-1", 700), ("refund", "payment-1", 3000)]


@pytest.mark.usefixtures("_paid")
async def test_refunds_that_race_never_give_back_more_than_was_taken(shop: Shop, sandbox: Sandbox) -> None:
    racing = [shop.deliver(part(1500, f"refund-{n}"), f"event-{n}", worker=f"worker-{n}") for n in range(5)]

    verdicts = await asyncio.gather(*racing)

    assert sorted(verdicts) == ["completed"] * 2 + ["dead refund_exceeds_capture"] * 3
    assert sum(amount for kind, _, amount in sandbox.moved() if kind == "refund") == 3000


@pytest.mark.usefixtures("_paid")
async def test_the_database_refuses_more_than_was_taken(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.transaction() as session:
            await session.execute(
                update(PaymentRow).where(col(PaymentRow.payment_id) == "payment-1").values(refunding=3701)
            )


@pytest.mark.usefixtures("_paid")
@pytest.mark.parametrize("change", [{"amount": 701}, {"amount": None, "currency": None}])
async def test_the_same_refund_with_another_content_is_dead(
    shop: Shop, sandbox: Sandbox, change: dict[str, object]
) -> None:
    await shop.deliver(part(700))

    conflict = part(700).model_copy(update=change)

    assert await shop.deliver(conflict, "event-2") == "dead refund_conflict"
    assert sandbox.moved() == [CAPTURED, ("refund", "payment-1", 700)]


@pytest.mark.usefixtures("_paid")
async def test_all_of_it_waits_for_another_refund_and_takes_what_the_provider_refuses_that_one(
    shop: Shop, sandbox: Sandbox
) -> None:
    provider = shop.provider
    shop.provider = FakeProvider(Trouble(UnclearError("no answer")), refuses=True)
    await shop.deliver(part(3700), "event-1")
    all_of_it = refunded(refund_id="refund-2")
    assert await shop.deliver(all_of_it, "event-2") == "postponed refund_in_flight"
    assert await shop.deliver(part(3700), "event-1") == "dead refund_exceeds_capture"
    shop.provider = provider

    assert await shop.deliver(all_of_it, "event-2") == "completed"

    assert sandbox.moved() == [CAPTURED, ("refund", "payment-1", 3700)]


async def test_a_refund_waits_for_its_capture(shop: Shop, sandbox: Sandbox) -> None:
    assert await shop.deliver(REFUNDED, "early") == "postponed out_of_order"
    silent = AUTHORIZED.model_copy(update={"method": "tok_timeout_after_charge"})
    await shop.deliver(silent)
    assert await shop.deliver(REFUNDED, "early") == "postponed out_of_order"
    await shop.deliver(silent)

    assert await shop.deliver(REFUNDED, "early") == "completed"
    assert sandbox.moved() == [CAPTURED, ("refund", "payment-1", 3700)]


async def test_of_a_declined_payment_nothing_goes_back(shop: Shop, sandbox: Sandbox) -> None:
    await shop.deliver(AUTHORIZED.model_copy(update={"method": "tok_declined"}), "declined")

    assert await shop.deliver(REFUNDED) == "dead nothing_captured"
    assert sandbox.moved() == []


@pytest.mark.usefixtures("_paid")
async def test_a_refund_survives_a_provider_that_is_away(shop: Shop, sandbox: Sandbox) -> None:
    sandbox.process.kill9()
    assert await shop.deliver(REFUNDED) == "postponed provider_away"
    sandbox.start()

    assert await shop.deliver(REFUNDED) == "completed"
    assert sandbox.moved() == [CAPTURED, ("refund", "payment-1", 3700)]
    assert await shop.failures() == 0


@pytest.mark.usefixtures("_paid")
async def test_it_is_in_doubt_only_once_the_provider_may_have_heard_of_it(shop: Shop) -> None:
    away = Trouble(ProviderAwayError("refused"))
    shop.provider = FakeProvider(away, away, Trouble(UnclearError("no answer")), away)

    stood: list[str] = []
    for _ in range(4):
        assert (await shop.deliver(REFUNDED)).startswith("postponed")
        stood += [status for _, _, status in await shop.refunds()]

    assert stood == ["refunding", "refunding", "unknown", "unknown"]
    assert await shop.deliver(REFUNDED) == "completed"


@pytest.mark.usefixtures("_paid")
async def test_what_the_provider_refuses_is_dead_and_not_promised_any_more(
    shop: Shop, database: Database
) -> None:
    async with database.transaction() as session:
        await session.execute(update(PaymentRow).values(amount=5000))  # we believe in more than was taken

    assert await shop.deliver(REFUNDED) == "dead refund_exceeds_capture"

    payment = await shop.payment()
    assert payment
    assert (payment.refunding, payment.refunded) == (0, 0)
    assert await shop.refunds() == [("refund-1", 5000, "refused")]
