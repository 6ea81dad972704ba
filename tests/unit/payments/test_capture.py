from dataclasses import replace

import pytest

from adapters.payments import FakeOrderWorker, FakeWork, Stored
from adapters.provider import FakeProvider, Moved, Trouble
from payment_worker.domain.order import Order
from payment_worker.domain.payment import Capture, Payment, PaymentStatus
from payment_worker.ports import KeyRefusedError, ProviderAwayError, UnclearError
from payment_worker.service.captures import CaptureService
from shared.events.orders import OrderCancelled, OrderPaid
from shared.queue.outcomes import ExpiredError
from unit.payments.examples import (
    CANCELLED,
    CAPTURE,
    ORDER,
    OTHERS,
    SECOND,
    a_payment,
    dead,
    postponed,
)

S = PaymentStatus
PAID = OrderPaid(order_id="order-1", payment_id="payment-1", amount=3700, currency="EUR")
TAKEN = [Moved("payment-1", 3700)]
AWAY = Trouble(ProviderAwayError("refused"))
SILENT = Trouble(UnclearError("no answer"), after=True)


class Shop:
    """A shop whose order-1 waits for its payment."""

    def __init__(
        self, *payments: Payment, order: Order = ORDER, provider: FakeProvider | None = None
    ) -> None:
        self.work = FakeWork(Stored({payment.payment_id: payment for payment in payments}))
        self.stored = self.work.stored
        self.orders = FakeOrderWorker(order)
        self.provider = provider or FakeProvider()

    async def capture(self, capture: Capture = CAPTURE) -> None:
        await CaptureService(self.work, self.orders, self.provider).capture(capture)

    def status(self, payment_id: str = "payment-1") -> PaymentStatus:
        return self.stored.payments[payment_id].status

    def in_doubt(self) -> bool:
        return self.stored.payments["payment-1"].in_doubt


async def test_a_payment_is_captured_and_its_order_paid() -> None:
    shop = Shop()

    await shop.capture()

    assert shop.stored.payments["payment-1"] == a_payment(S.CAPTURED)
    assert shop.stored.caused == [PAID]
    assert shop.provider.ledger == TAKEN
    assert shop.provider.calls == ["capture:payment-1"]
    assert shop.work.ended
    assert not shop.stored.claims


async def test_the_intent_is_committed_and_no_transaction_open_while_the_provider_is_asked() -> None:
    shop = Shop()
    seen: list[tuple[bool, Payment, str]] = []
    shop.provider.during = lambda: seen.append(
        (shop.work.open, shop.stored.payments["payment-1"], shop.stored.claims["payment-1"])
    )

    await shop.capture()

    assert seen == [(False, a_payment(S.CAPTURING), "run-1")]


async def test_a_declined_payment_cancels_its_order() -> None:
    shop = Shop(provider=FakeProvider(declines=True))

    await shop.capture()

    assert shop.status() is S.DECLINED
    assert shop.stored.caused == [OrderCancelled(order_id="order-1", reason="payment_declined")]
    assert shop.provider.ledger == []


@pytest.mark.parametrize(
    "status", [S.CAPTURED, S.PARTLY_REFUNDED, S.REFUNDED, S.DECLINED], ids=lambda status: status.value
)
async def test_a_payment_whose_end_is_known_is_not_asked_about_and_causes_nothing(status: S) -> None:
    shop = Shop(a_payment(status))

    await shop.capture()

    assert shop.provider.calls == []
    assert shop.stored.caused == []


async def test_an_order_that_is_not_there_yet_is_waited_for() -> None:
    shop = Shop(order=replace(ORDER, order_id="order-2"))

    with postponed("out_of_order", at_most=None):
        await shop.capture()

    assert not shop.stored.payments
    assert shop.provider.calls == []


@pytest.mark.parametrize(
    ("capture", "order", "reason"),
    [
        (replace(CAPTURE, amount=3699), ORDER, "amount_mismatch"),
        (replace(CAPTURE, currency="USD"), ORDER, "amount_mismatch"),
        (CAPTURE, CANCELLED, "order_cancelled"),
        (replace(CAPTURE, amount=1), CANCELLED, "amount_mismatch"),
    ],
)
async def test_what_does_not_fit_its_order_is_never_charged(
    capture: Capture, order: Order, reason: str
) -> None:
    shop = Shop(order=order)

    with dead(reason):
        await shop.capture(capture)

    assert not shop.stored.payments
    assert shop.provider.calls == []


async def test_without_order_worker_nothing_is_charged() -> None:
    shop = Shop()
    shop.orders.is_away = True

    with postponed("orders_away"):
        await shop.capture()

    assert shop.provider.calls == []


@pytest.mark.parametrize("status", [S.CAPTURING, S.UNKNOWN, S.CAPTURED, S.DECLINED])
@pytest.mark.parametrize("other", OTHERS)
async def test_the_same_id_with_another_content_is_a_conflict(other: Capture, status: S) -> None:
    shop = Shop(a_payment(status))

    with dead("payment_conflict"):
        await shop.capture(other)

    assert shop.provider.calls == []


@pytest.mark.parametrize(
    "status",
    [S.CAPTURING, S.UNKNOWN, S.CAPTURED, S.PARTLY_REFUNDED, S.REFUNDED],
    ids=lambda status: status.value,
)
async def test_a_second_payment_of_an_order_is_not_taken(status: S) -> None:
    shop = Shop(a_payment(status, refunded=3700 if status is S.REFUNDED else 0))

    with dead("already_paid"):
        await shop.capture(SECOND)

    assert shop.provider.calls == []


async def test_after_a_declined_payment_another_one_may_pay() -> None:
    shop = Shop(a_payment(S.DECLINED))

    await shop.capture(SECOND)

    assert shop.status("payment-2") is S.CAPTURED


async def test_a_payment_that_the_provider_never_heard_of_makes_room_for_another_one() -> None:
    shop = Shop(provider=FakeProvider(AWAY))
    with postponed("provider_away"):
        await shop.capture()

    await shop.capture(SECOND)

    assert shop.status("payment-1") is S.VOIDED
    assert shop.status("payment-2") is S.CAPTURED
    for _ in range(2):
        with dead("already_paid"):
            await shop.capture()
    assert shop.provider.ledger == [Moved("payment-2", 3700)]


async def test_nothing_is_begun_for_an_event_that_has_expired() -> None:
    shop = Shop()
    shop.work.is_expired = True

    with pytest.raises(ExpiredError):
        await shop.capture()

    assert not shop.stored.payments
    assert shop.orders.asked == 0
    assert shop.provider.calls == []


async def test_a_payment_that_the_provider_never_heard_of_expires_with_its_event() -> None:
    shop = Shop(provider=FakeProvider(AWAY))
    with postponed("provider_away"):
        await shop.capture()
    shop.work.is_expired = True

    with pytest.raises(ExpiredError):
        await shop.capture()

    assert shop.provider.ledger == []


@pytest.mark.parametrize("status", [S.CAPTURING, S.UNKNOWN], ids=lambda status: status.value)
async def test_what_may_be_charged_does_not_expire(status: S) -> None:
    shop = Shop(a_payment(status))
    shop.work.is_expired = True

    await shop.capture()

    assert shop.status() is S.CAPTURED
    assert shop.stored.caused == [PAID]


async def test_a_charge_without_an_answer_is_unknown_and_asked_for_with_the_same_key() -> None:
    shop = Shop(provider=FakeProvider(SILENT))

    with postponed("provider_unclear"):
        await shop.capture()
    assert shop.status() is S.UNKNOWN
    assert shop.in_doubt()
    assert not shop.stored.claims
    assert shop.stored.caused == []
    await shop.capture()

    assert shop.status() is S.CAPTURED
    assert shop.provider.calls == ["capture:payment-1"] * 2
    assert shop.provider.ledger == TAKEN
    assert shop.stored.caused == [PAID]


async def test_what_may_be_charged_is_cleared_up_though_its_order_was_cancelled_or_cannot_be_asked() -> None:
    shop = Shop(provider=FakeProvider(SILENT))
    with postponed("provider_unclear"):
        await shop.capture()
    shop.orders.orders.clear()
    shop.orders.is_away = True

    await shop.capture()

    assert shop.stored.caused == [PAID]


async def test_a_provider_that_is_away_leaves_a_payment_that_can_still_be_voided() -> None:
    shop = Shop(provider=FakeProvider(AWAY))

    with postponed("provider_away"):
        await shop.capture()
    assert shop.stored.payments["payment-1"] == a_payment(S.CAPTURING, asked=False)
    shop.orders.orders["order-1"] = CANCELLED

    for _ in range(2):
        with dead("order_cancelled"):
            await shop.capture()
        assert shop.status() is S.VOIDED
    assert shop.provider.ledger == []


async def test_a_provider_that_is_back_captures_once() -> None:
    shop = Shop(provider=FakeProvider(AWAY, AWAY, SILENT, AWAY))
    for reason in ("provider_away", "provider_away"):
        with postponed(reason):
            await shop.capture()
        assert not shop.in_doubt()
    for reason in ("provider_unclear", "provider_away"):
        with postponed(reason):
            await shop.capture()
        assert shop.in_doubt()

    await shop.capture()

    assert shop.provider.ledger == TAKEN
    assert shop.stored.caused == [PAID]


async def test_an_intent_that_another_run_holds_is_left_alone() -> None:
    shop = Shop(a_payment(S.CAPTURING))
    shop.stored.claims["payment-1"] = "another run"

    with postponed("claimed"):
        await shop.capture()

    assert shop.provider.calls == []
    assert shop.stored.payments["payment-1"] == a_payment(S.CAPTURING)


async def test_a_key_that_the_provider_knows_with_other_parameters_ends_the_event() -> None:
    shop = Shop(provider=FakeProvider(Trouble(KeyRefusedError("known"))))

    with dead("key_refused"):
        await shop.capture()

    assert shop.status() is S.UNKNOWN
    assert shop.stored.caused == []


class OvertakenProvider(FakeProvider):
    """While the first call's answer is on its way, the claim ends and another run does it all."""

    def __init__(self) -> None:
        super().__init__()
        self.shop: Shop | None = None

    async def capture(self, key: str, capture: Capture) -> bool:
        answer = await super().capture(key, capture)
        shop, self.shop = self.shop, None
        if shop:
            shop.stored.claims.clear()
            await CaptureService(FakeWork(shop.stored, owner="run-2"), shop.orders, self).capture(capture)
        return answer


async def test_two_runs_that_both_hear_of_the_capture_cause_one_payment() -> None:
    provider = OvertakenProvider()
    provider.shop = shop = Shop(provider=provider)

    await shop.capture()

    assert shop.stored.caused == [PAID]
    assert shop.provider.ledger == TAKEN
