import pytest

from adapters.orders import FakeOrders
from adapters.outbox import FakeOutbox
from order_worker.domain import Order, Payment, refund_id
from order_worker.service import OrderService
from shared.events.notifications import Recipient, SendNotification
from shared.events.payments import PaymentRefunded
from unit.orders.examples import PAYMENT, an_order, cancelled, dead, free, paid, postponed, shipped


async def test_a_paid_order_sends_a_receipt() -> None:
    orders, outbox = FakeOrders(an_order()), FakeOutbox()

    await OrderService(orders, outbox).pay("order-1", PAYMENT)

    assert orders.stored["order-1"] == paid()
    assert outbox.caused == [
        SendNotification(
            recipient=Recipient(user_id="customer-1", email="ada@example.com", locale="en"),
            template="payment-receipt",
            variables={"name": "Ada Lovelace", "order_id": "order-1", "amount": 3700, "currency": "EUR"},
        )
    ]


async def test_a_cancelled_order_stays_cancelled_and_gives_all_of_the_money_back() -> None:
    orders, outbox = FakeOrders(cancelled()), FakeOutbox()

    await OrderService(orders, outbox).pay("order-1", PAYMENT)

    assert orders.stored["order-1"] == cancelled(payment_id="payment-1")
    assert outbox.caused == [
        PaymentRefunded(
            refund_id=refund_id("payment-1"),
            order_id="order-1",
            payment_id="payment-1",
            reason="order_cancelled",
        )
    ]


@pytest.mark.parametrize("order", [paid(), shipped(), cancelled(payment_id="payment-1")])
async def test_the_same_payment_again_changes_and_causes_nothing(order: Order) -> None:
    orders, outbox = FakeOrders(order), FakeOutbox()

    await OrderService(orders, outbox).pay("order-1", PAYMENT)

    assert orders.stored["order-1"] == order
    assert outbox.caused == []


@pytest.mark.parametrize("order", [paid(), shipped()])
async def test_a_second_payment_for_a_paid_order_is_a_conflict(order: Order) -> None:
    orders, outbox = FakeOrders(order), FakeOutbox()

    with dead("order_conflict"):
        await OrderService(orders, outbox).pay("order-1", Payment("payment-2", 3700, "EUR"))

    assert orders.stored["order-1"] == order
    assert outbox.caused == []


@pytest.mark.parametrize("order", [an_order(), paid(), shipped(), cancelled()])
@pytest.mark.parametrize("payment", [Payment("payment-1", 3699, "EUR"), Payment("payment-1", 3700, "USD")])
async def test_money_that_is_not_the_total_is_refused_in_every_state(order: Order, payment: Payment) -> None:
    orders, outbox = FakeOrders(order), FakeOutbox()

    with dead("amount_mismatch"):
        await OrderService(orders, outbox).pay("order-1", payment)

    assert orders.stored["order-1"] == order
    assert outbox.caused == []


@pytest.mark.parametrize("order", [paid(), shipped(), cancelled()])
async def test_for_an_order_that_costs_nothing_no_money_is_taken(order: Order) -> None:
    orders, outbox = FakeOrders(free(order)), FakeOutbox()

    with dead("amount_mismatch"):
        await OrderService(orders, outbox).pay("order-1", PAYMENT)

    assert orders.stored["order-1"] == free(order)
    assert outbox.caused == []


async def test_an_order_that_is_not_stored_cannot_be_paid() -> None:
    with postponed("out_of_order"):
        await OrderService(FakeOrders(), FakeOutbox()).pay("order-1", PAYMENT)


def test_a_refund_has_one_id_per_payment_which_fits_the_contract() -> None:
    longest = "p" * 64

    assert refund_id(longest) == refund_id(longest)
    assert refund_id(longest) != refund_id("payment-1")
    assert len(refund_id(longest)) <= 64
