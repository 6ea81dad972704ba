from adapters.orders import FakeOrders
from adapters.outbox import FakeOutbox
from order_worker.domain import refund_id
from order_worker.service import OrderService
from shared.events.inventory import InventoryReleased
from shared.events.notifications import Recipient, SendNotification
from shared.events.payments import PaymentRefunded
from unit.orders.examples import an_order, cancelled, dead, paid, postponed, shipped

RELEASED = InventoryReleased(order_id="order-1", reason="changed my mind")
NOTIFIED = SendNotification(
    recipient=Recipient(user_id="customer-1", email="ada@example.com", locale="en"),
    template="order-cancelled",
    variables={"name": "Ada Lovelace", "order_id": "order-1", "reason": "changed my mind"},
)


async def test_a_pending_order_that_is_cancelled_gives_its_stock_back() -> None:
    orders, outbox = FakeOrders(an_order()), FakeOutbox()

    await OrderService(orders, outbox).cancel("order-1", "changed my mind")

    assert orders.stored["order-1"] == cancelled()
    assert outbox.caused == [RELEASED, NOTIFIED]


async def test_a_paid_order_that_is_cancelled_gives_its_stock_and_its_money_back() -> None:
    orders, outbox = FakeOrders(paid()), FakeOutbox()

    await OrderService(orders, outbox).cancel("order-1", "changed my mind")

    assert orders.stored["order-1"] == cancelled(payment_id="payment-1")
    refunded = PaymentRefunded(
        refund_id=refund_id("payment-1"),
        order_id="order-1",
        payment_id="payment-1",
        reason="order_cancelled",
    )
    assert outbox.caused == [RELEASED, refunded, NOTIFIED]


async def test_cancelling_again_keeps_the_first_reason_and_causes_nothing() -> None:
    orders, outbox = FakeOrders(cancelled()), FakeOutbox()

    await OrderService(orders, outbox).cancel("order-1", "out_of_stock")

    assert orders.stored["order-1"] == cancelled()
    assert outbox.caused == []


async def test_a_shipped_order_is_never_cancelled() -> None:
    orders, outbox = FakeOrders(shipped()), FakeOutbox()

    with dead("illegal_transition"):
        await OrderService(orders, outbox).cancel("order-1", "changed my mind")

    assert orders.stored["order-1"] == shipped()
    assert outbox.caused == []


async def test_an_order_that_is_not_stored_cannot_be_cancelled() -> None:
    with postponed("out_of_order"):
        await OrderService(FakeOrders(), FakeOutbox()).cancel("order-1", "changed my mind")
