import asyncio
from dataclasses import replace

import pytest

from adapters.payments import FakeWork, Stored
from adapters.provider import FakeProvider, Moved, Trouble
from payment_worker.domain.payment import Payment, PaymentStatus
from payment_worker.domain.refund import RefundStatus, RefundWish
from payment_worker.ports import KeyRefusedError, ProviderAwayError, UnclearError
from payment_worker.service.refunds import RefundService
from shared.events.notifications import Recipient, SendNotification
from shared.queue.outcomes import ExpiredError, PostponeError
from unit.payments.examples import CAPTURE, a_payment, a_wish, dead, postponed

S = PaymentStatus
AWAY = Trouble(ProviderAwayError("refused"))
SILENT = Trouble(UnclearError("no answer"))


def told(amount: int) -> SendNotification:
    return SendNotification(
        recipient=Recipient(user_id="customer-1", email="ada@example.com", locale="en"),
        template="refund",
        variables={"name": "Ada Lovelace", "order_id": "order-1", "amount": amount, "currency": "EUR"},
    )


class Shop:
    """A shop with these payments."""

    def __init__(self, *payments: Payment, provider: FakeProvider | None = None) -> None:
        self.work = FakeWork(Stored({payment.payment_id: payment for payment in payments}))
        self.stored = self.work.stored
        self.provider = provider or FakeProvider()

    async def refund(self, wish: RefundWish) -> None:
        await RefundService(self.work, self.provider).refund(wish)

    @property
    def payment(self) -> Payment:
        return self.stored.payments["payment-1"]

    def in_doubt(self) -> bool:
        return self.stored.refunds["refund-1"].in_doubt


@pytest.mark.parametrize("payment_id", ["payment-1", None])
async def test_without_an_amount_all_is_given_back_and_the_customer_told(payment_id: str | None) -> None:
    shop = Shop(a_payment())

    await shop.refund(a_wish(payment_id=payment_id))

    assert shop.payment == a_payment(S.REFUNDED, refunded=3700)
    assert shop.provider.ledger == [Moved("payment-1", -3700)]
    assert shop.provider.calls == ["refund:refund-1"]
    assert shop.stored.caused == [told(3700)]
    assert not shop.stored.claims


async def test_parts_are_given_back_until_nothing_is_left() -> None:
    shop = Shop(a_payment())

    await shop.refund(a_wish("refund-1", 700))
    assert shop.payment == a_payment(S.PARTLY_REFUNDED, refunded=700)
    await shop.refund(a_wish("refund-2"))

    assert shop.payment == a_payment(S.REFUNDED, refunded=3700)
    assert shop.stored.caused == [told(700), told(3000)]


async def test_what_is_promised_counts_as_given_while_the_provider_is_asked() -> None:
    shop = Shop(a_payment())
    seen: list[tuple[bool, Payment]] = []
    shop.provider.during = lambda: seen.append((shop.work.open, shop.payment))

    await shop.refund(a_wish(amount=700))

    assert seen == [(False, a_payment(refunding=700))]


async def test_a_refund_asked_for_twice_happens_once() -> None:
    shop = Shop(a_payment())

    await shop.refund(a_wish(amount=700))
    await shop.refund(a_wish(amount=700))

    assert shop.provider.ledger == [Moved("payment-1", -700)]
    assert shop.stored.caused == [told(700)]


async def test_all_of_it_asked_for_under_another_id_finds_nothing_left() -> None:
    shop = Shop(a_payment())

    await shop.refund(a_wish("refund-1"))
    await shop.refund(a_wish("refund-2"))

    assert shop.provider.ledger == [Moved("payment-1", -3700)]
    assert shop.stored.caused == [told(3700)]


@pytest.mark.parametrize(
    "other",
    [
        a_wish(amount=701),
        a_wish(),
        replace(a_wish(amount=700), currency="USD"),
        replace(a_wish(amount=700), payment_id="payment-2"),
        replace(a_wish(amount=700), payment_id="payment-2", order_id="order-2"),
    ],
)
async def test_the_same_id_with_another_content_is_a_conflict(other: RefundWish) -> None:
    second = a_payment(capture=replace(CAPTURE, payment_id="payment-2", order_id="order-2"))
    shop = Shop(a_payment(), second)
    await shop.refund(a_wish(amount=700))

    with dead("refund_conflict"):
        await shop.refund(other)

    assert shop.provider.ledger == [Moved("payment-1", -700)]


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (a_wish(amount=3701), "refund_exceeds_capture"),
        (replace(a_wish(amount=700), currency="USD"), "amount_mismatch"),
        (replace(a_wish(), order_id="order-2"), "payment_conflict"),
    ],
)
async def test_what_does_not_fit_its_payment_gives_nothing_back(wish: RefundWish, reason: str) -> None:
    shop = Shop(a_payment())

    with dead(reason):
        await shop.refund(wish)

    assert shop.provider.calls == []
    assert shop.payment == a_payment()


async def test_what_another_refund_has_promised_is_not_promised_again() -> None:
    shop = Shop(a_payment(refunding=3000))

    with dead("refund_exceeds_capture"):
        await shop.refund(a_wish(amount=701))


@pytest.mark.parametrize("promised", [3000, 3700])
async def test_all_of_it_waits_for_what_another_refund_has_promised(promised: int) -> None:
    shop = Shop(a_payment(refunding=promised))

    with postponed("refund_in_flight"):
        await shop.refund(a_wish())

    assert shop.payment == a_payment(refunding=promised)
    assert not shop.stored.refunds


@pytest.mark.parametrize("payments", [[], [a_payment()]], ids=["no payment yet", "a payment"])
async def test_no_money_is_promised_for_an_event_that_has_expired(payments: list[Payment]) -> None:
    shop = Shop(*payments)
    shop.work.is_expired = True

    with pytest.raises(ExpiredError):
        await shop.refund(a_wish())

    assert not shop.stored.refunds
    assert shop.provider.calls == []


@pytest.mark.parametrize("error", [ProviderAwayError("refused"), UnclearError("no answer")])
async def test_what_is_promised_does_not_expire(error: Exception) -> None:
    shop = Shop(a_payment(), provider=FakeProvider(Trouble(error)))
    with pytest.raises(PostponeError):
        await shop.refund(a_wish())
    shop.work.is_expired = True

    await shop.refund(a_wish())

    assert shop.payment == a_payment(S.REFUNDED, refunded=3700)
    assert shop.stored.caused == [told(3700)]


@pytest.mark.parametrize("status", [S.CAPTURING, S.UNKNOWN])
@pytest.mark.parametrize("payment_id", ["payment-1", None])
async def test_a_refund_waits_for_its_capture(status: S, payment_id: str | None) -> None:
    shop = Shop(a_payment(status))

    with postponed("out_of_order"):
        await shop.refund(a_wish(payment_id=payment_id))


@pytest.mark.parametrize("payment_id", ["payment-1", None])
async def test_a_refund_waits_for_its_payment(payment_id: str | None) -> None:
    with postponed("out_of_order", at_most=None):
        await Shop().refund(a_wish(payment_id=payment_id))


@pytest.mark.parametrize("status", [S.DECLINED, S.VOIDED])
@pytest.mark.parametrize("payment_id", ["payment-1", None])
async def test_of_what_was_never_captured_nothing_is_given_back(status: S, payment_id: str | None) -> None:
    with dead("nothing_captured"):
        await Shop(a_payment(status)).refund(a_wish(payment_id=payment_id))


async def test_the_payment_that_took_the_money_is_the_one_that_gives_it_back() -> None:
    second = a_payment(capture=replace(CAPTURE, payment_id="payment-2"))
    shop = Shop(a_payment(S.DECLINED), second)

    await shop.refund(a_wish(payment_id=None))

    assert shop.provider.ledger == [Moved("payment-2", -3700)]


async def test_a_refund_without_an_answer_is_asked_for_with_the_same_key() -> None:
    shop = Shop(a_payment(), provider=FakeProvider(Trouble(UnclearError("no answer"), after=True)))

    with postponed("provider_unclear"):
        await shop.refund(a_wish())
    assert shop.stored.refunds["refund-1"].status is RefundStatus.UNKNOWN
    assert shop.payment == a_payment(refunding=3700)
    assert not shop.stored.claims
    await shop.refund(a_wish())

    assert shop.provider.ledger == [Moved("payment-1", -3700)]
    assert shop.stored.caused == [told(3700)]


async def test_a_provider_that_is_back_gives_back_once() -> None:
    shop = Shop(a_payment(), provider=FakeProvider(AWAY, AWAY, SILENT, AWAY))
    for reason in ("provider_away", "provider_away"):
        with postponed(reason):
            await shop.refund(a_wish())
        assert not shop.in_doubt()
    for reason in ("provider_unclear", "provider_away"):
        with postponed(reason):
            await shop.refund(a_wish())
        assert shop.in_doubt()

    await shop.refund(a_wish())

    assert shop.provider.ledger == [Moved("payment-1", -3700)]
    assert shop.stored.caused == [told(3700)]


async def test_a_provider_that_is_away_after_a_call_that_was_cut_off_leaves_the_refund_in_doubt() -> None:
    shop = Shop(a_payment(), provider=FakeProvider(Trouble(asyncio.CancelledError()), AWAY))
    with pytest.raises(asyncio.CancelledError):
        await shop.refund(a_wish())

    with postponed("provider_away"):
        await shop.refund(a_wish())

    assert shop.in_doubt()


async def test_what_the_provider_refuses_is_not_promised_any_more() -> None:
    shop = Shop(a_payment(), provider=FakeProvider(refuses=True))

    for _ in range(2):
        with dead("refund_exceeds_capture"):
            await shop.refund(a_wish(amount=700))

    assert shop.payment == a_payment()
    assert shop.stored.refunds["refund-1"].status is RefundStatus.REFUSED
    assert shop.provider.calls == ["refund:refund-1"]
    assert shop.stored.caused == []


async def test_a_key_that_the_provider_knows_with_other_parameters_ends_the_event() -> None:
    shop = Shop(a_payment(), provider=FakeProvider(Trouble(KeyRefusedError("known"))))

    with dead("key_refused"):
        await shop.refund(a_wish())

    assert shop.payment == a_payment(refunding=3700)
    assert shop.in_doubt()


async def test_a_refund_that_another_run_holds_is_left_alone() -> None:
    shop = Shop(a_payment())
    shop.stored.claims["refund-1"] = "another run"

    with postponed("claimed"):
        await shop.refund(a_wish())

    assert shop.provider.calls == []
    assert shop.payment == a_payment()
