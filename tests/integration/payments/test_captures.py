"""Payments in a worker's database, with the sandbox: what is taken, and what is never taken."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import update

from adapters.sandbox import Sandbox
from integration.payments.shop import AUTHORIZED, Shop
from payment_worker.domain.payment import Capture
from payment_worker.domain.refund import Refund
from payment_worker.ports import Provider
from shared.events.payments import PaymentAuthorized
from shared.store.database import Database
from shared.store.tables import Attempt

TAKEN = [("capture", "payment-1", 3700)]


def authorized(**changes: object) -> PaymentAuthorized:
    return AUTHORIZED.model_copy(update=changes)


async def test_a_payment_is_captured_once_however_often_it_is_told(shop: Shop, sandbox: Sandbox) -> None:
    assert await shop.deliver(AUTHORIZED) == "completed"
    assert await shop.deliver(AUTHORIZED) == "repeated"
    assert await shop.deliver(AUTHORIZED, "event-2") == "completed"

    assert await shop.status() == "captured"
    assert await shop.is_uncertain() is False
    assert await shop.caused() == ["ORDER_PAID"]
    assert sandbox.moved() == TAKEN


async def test_the_key_comes_from_the_payment_and_is_kept(shop: Shop, sandbox: Sandbox) -> None:
    await shop.deliver(AUTHORIZED)

    payment = await shop.payment()
    assert payment
    assert payment.key == "capture:payment-1"
    assert [entry["idempotency_key"] for entry in sandbox.ledger()] == ["capture:payment-1"]


async def test_a_token_is_not_kept(shop: Shop) -> None:
    await shop.deliver(AUTHORIZED)

    payment = await shop.payment()
    assert payment
    assert "tok_ok" not in str(payment.model_dump())


@pytest.mark.parametrize("method", ["tok_declined", "tok_of_nobody"])
async def test_a_declined_payment_cancels_its_order(shop: Shop, sandbox: Sandbox, method: str) -> None:
    assert await shop.deliver(authorized(method=method)) == "completed"
    assert await shop.deliver(authorized(method=method), "event-2") == "completed"

    assert await shop.status() == "declined"
    assert await shop.caused() == ["ORDER_CANCELLED"]
    assert sandbox.moved() == []


async def test_a_capture_without_an_answer_is_unknown_and_then_found(shop: Shop, sandbox: Sandbox) -> None:
    silent = authorized(method="tok_timeout_after_charge")

    assert await shop.deliver(silent) == "postponed provider_unclear"
    assert await shop.status() == "unknown"
    assert await shop.deliver(silent) == "completed"

    assert await shop.status() == "captured"
    assert await shop.caused() == ["ORDER_PAID"]
    assert sandbox.moved() == TAKEN
    assert await shop.failures() == 0


async def test_an_error_of_the_provider_burns_no_attempt(shop: Shop, sandbox: Sandbox) -> None:
    once = authorized(method="tok_error_once")

    assert await shop.deliver(once) == "postponed provider_unclear"
    assert sandbox.moved() == []
    assert await shop.deliver(once) == "completed"

    assert sandbox.moved() == TAKEN
    assert await shop.failures() == 0


async def test_a_provider_that_always_fails_charges_nothing(shop: Shop, sandbox: Sandbox) -> None:
    for _ in range(7):
        assert await shop.deliver(authorized(method="tok_error")) == "postponed provider_unclear"

    assert await shop.status() == "unknown"
    assert sandbox.moved() == []


async def test_a_provider_that_is_away_delays_a_payment_and_burns_no_attempt(
    shop: Shop, sandbox: Sandbox
) -> None:
    sandbox.process.kill9()
    for _ in range(3):
        assert await shop.deliver(AUTHORIZED) == "postponed provider_away"
    assert await shop.status() == "capturing"

    sandbox.start()

    assert await shop.deliver(AUTHORIZED) == "completed"
    assert sandbox.moved() == TAKEN
    assert await shop.failures() == 0


@pytest.mark.parametrize(
    ("event", "verdict"),
    [
        (authorized(order_id="order-9"), "postponed out_of_order"),
        (authorized(amount=3699), "dead amount_mismatch"),
        (authorized(currency="USD"), "dead amount_mismatch"),
        (authorized(order_id="gone"), "dead order_cancelled"),
    ],
    ids=["missing order", "other amount", "other currency", "cancelled order"],
)
async def test_what_does_not_fit_its_order_is_never_charged(
    shop: Shop, sandbox: Sandbox, event: PaymentAuthorized, verdict: str
) -> None:
    assert await shop.deliver(event) == verdict

    assert await shop.payment() is None
    assert await shop.caused() == []
    assert sandbox.moved() == []


@pytest.mark.parametrize("change", [{"order_id": "order-2"}, {"amount": 1}, {"method": "tok_slow"}])
async def test_the_same_payment_with_other_parameters_is_dead(
    shop: Shop, sandbox: Sandbox, change: dict[str, object]
) -> None:
    await shop.deliver(AUTHORIZED)

    assert await shop.deliver(authorized(**change), "event-2") == "dead payment_conflict"

    assert sandbox.moved() == TAKEN


async def test_a_second_payment_of_an_order_is_dead(shop: Shop, sandbox: Sandbox) -> None:
    await shop.deliver(AUTHORIZED)

    assert await shop.deliver(authorized(payment_id="payment-2"), "event-2") == "dead already_paid"

    assert sandbox.moved() == TAKEN


async def test_of_payments_that_race_for_an_order_one_takes_the_money(shop: Shop, sandbox: Sandbox) -> None:
    racing = [
        shop.deliver(authorized(payment_id=f"payment-{n}"), f"event-{n}", worker=f"worker-{n}")
        for n in range(5)
    ]

    verdicts = await asyncio.gather(*racing)

    assert sorted(verdicts) == ["completed", *["dead already_paid"] * 4]
    assert len(sandbox.moved()) == 1
    assert await shop.caused() == ["ORDER_PAID"]


async def test_of_copies_that_race_one_asks_the_provider(shop: Shop, sandbox: Sandbox) -> None:
    shop.provider = asked = CountedProvider(shop.provider)
    racing = [shop.deliver(AUTHORIZED, f"event-{n}", worker=f"worker-{n}") for n in range(5)]

    verdicts = await asyncio.gather(*racing)

    assert asked.keys == ["capture:payment-1"]
    assert "completed" in verdicts
    assert set(verdicts) <= {"completed", "postponed claimed"}
    assert sandbox.moved() == TAKEN
    assert await shop.caused() == ["ORDER_PAID"]


async def test_of_payments_that_race_for_the_place_of_one_that_was_never_asked_for_one_takes_the_money(
    shop: Shop, sandbox: Sandbox
) -> None:
    sandbox.process.kill9()
    assert await shop.deliver(AUTHORIZED, "event-1") == "postponed provider_away"
    sandbox.start()
    racing = [
        shop.deliver(authorized(payment_id=f"payment-{n}"), f"event-{n}", worker=f"worker-{n}")
        for n in (2, 1, 3, 4)
    ]

    verdicts = await asyncio.gather(*racing)

    assert sorted(verdicts) == ["completed", *["dead already_paid"] * 3]
    assert len(sandbox.moved()) == 1
    assert await shop.caused() == ["ORDER_PAID"]


async def test_a_payment_that_the_provider_never_heard_of_blocks_no_other(
    shop: Shop, sandbox: Sandbox
) -> None:
    sandbox.process.kill9()
    assert await shop.deliver(AUTHORIZED, "event-1") == "postponed provider_away"
    sandbox.start()

    assert await shop.deliver(authorized(payment_id="payment-2"), "event-2") == "completed"
    assert await shop.deliver(AUTHORIZED, "event-1") == "dead already_paid"

    assert await shop.status() == "voided"
    assert sandbox.moved() == [("capture", "payment-2", 3700)]


async def test_what_comes_too_late_takes_nothing(shop: Shop, sandbox: Sandbox) -> None:
    assert await shop.deliver(AUTHORIZED, expires_at=datetime.now(UTC)) == "expired"

    assert await shop.payment() is None
    assert sandbox.moved() == []


async def test_what_may_be_charged_is_cleared_up_though_its_event_expires(
    shop: Shop, sandbox: Sandbox
) -> None:
    silent = authorized(method="tok_timeout_after_charge")
    expires_at = datetime.now(UTC) + timedelta(minutes=1)
    assert await shop.deliver(silent, expires_at=expires_at) == "postponed provider_unclear"
    shop.ahead += timedelta(minutes=2)

    assert await shop.deliver(silent, expires_at=expires_at) == "completed"

    assert await shop.caused() == ["ORDER_PAID"]
    assert sandbox.moved() == TAKEN


@pytest.mark.parametrize(("method", "uncertain"), [("tok_error", True), ("tok_ok", False)])
async def test_money_that_may_have_moved_when_a_day_of_waiting_ends_makes_the_event_uncertain(
    shop: Shop, sandbox: Sandbox, database: Database, method: str, uncertain: bool
) -> None:
    event = authorized(method=method)
    if not uncertain:
        sandbox.process.kill9()
    await shop.deliver(event)
    async with database.transaction() as session:
        await session.execute(update(Attempt).values(retry_at=datetime.now(UTC) + timedelta(days=2)))

    assert (await shop.deliver(event)).startswith("dead provider_")

    assert await shop.is_uncertain() is uncertain


class CountedProvider:
    """Remembers the keys that it was asked with."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.keys: list[str] = []

    async def capture(self, key: str, capture: Capture) -> bool:
        self.keys.append(key)
        return await self._provider.capture(key, capture)

    async def refund(self, refund: Refund) -> bool:
        self.keys.append(refund.key)
        return await self._provider.refund(refund)


async def test_after_a_declined_payment_another_one_may_pay(shop: Shop, sandbox: Sandbox) -> None:
    await shop.deliver(authorized(method="tok_declined"))

    assert await shop.deliver(authorized(payment_id="payment-2"), "event-2") == "completed"

    assert sandbox.moved() == [("capture", "payment-2", 3700)]


async def test_a_key_that_the_provider_knows_with_other_parameters_ends_the_event(
    shop: Shop, sandbox: Sandbox
) -> None:
    foreign = {"payment_id": "payment-1", "order_id": "x", "amount": 1, "currency": "EUR", "method": "tok_ok"}
    headers = {"Idempotency-Key": "capture:payment-1"}
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(f"{sandbox.url}/v1/captures", json=foreign, headers=headers)

    assert await shop.deliver(AUTHORIZED) == "dead key_refused"

    assert await shop.status() == "unknown"
    assert await shop.caused() == []
