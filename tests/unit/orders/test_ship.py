from adapters.orders import FakeOrders
from adapters.outbox import FakeOutbox
from order_worker.domain import Shipment
from order_worker.service import OrderService
from shared.events.notifications import Recipient, SendNotification
from unit.orders.examples import FREE, SHIPMENT, an_order, cancelled, dead, free, paid, postponed, shipped


async def test_a_paid_order_is_shipped_and_its_customer_learns_where_it_is() -> None:
    orders, outbox = FakeOrders(paid()), FakeOutbox()

    await OrderService(orders, outbox).ship("order-1", SHIPMENT)

    assert orders.stored["order-1"] == shipped()
    assert outbox.caused == [
        SendNotification(
            recipient=Recipient(user_id="customer-1", email="ada@example.com", locale="en"),
            template="order-shipped",
            variables={
                "name": "Ada Lovelace",
                "order_id": "order-1",
                "carrier": "DHL",
                "tracking_number": "00340434161094042557",
            },
        )
    ]


async def test_an_order_that_is_not_paid_yet_is_not_shipped_yet() -> None:
    orders, outbox = FakeOrders(an_order()), FakeOutbox()

    with postponed("out_of_order"):
        await OrderService(orders, outbox).ship("order-1", SHIPMENT)

    assert orders.stored["order-1"] == an_order()
    assert outbox.caused == []


async def test_an_order_that_costs_nothing_waits_for_no_payment() -> None:
    orders = FakeOrders()
    service = OrderService(orders, FakeOutbox())
    await service.place(FREE)

    await service.ship("order-1", SHIPMENT)

    assert orders.stored["order-1"] == free(shipped())


async def test_the_same_shipment_again_changes_and_causes_nothing() -> None:
    orders, outbox = FakeOrders(shipped()), FakeOutbox()

    await OrderService(orders, outbox).ship("order-1", SHIPMENT)

    assert orders.stored["order-1"] == shipped()
    assert outbox.caused == []


async def test_another_parcel_for_a_shipped_order_is_a_conflict() -> None:
    with dead("order_conflict"):
        await OrderService(FakeOrders(shipped()), FakeOutbox()).ship("order-1", Shipment("UPS", "1Z999"))


async def test_a_cancelled_order_is_never_shipped() -> None:
    orders, outbox = FakeOrders(cancelled()), FakeOutbox()

    with dead("illegal_transition"):
        await OrderService(orders, outbox).ship("order-1", SHIPMENT)

    assert orders.stored["order-1"] == cancelled()
    assert outbox.caused == []


async def test_an_order_that_is_not_stored_cannot_be_shipped() -> None:
    with postponed("out_of_order"):
        await OrderService(FakeOrders(), FakeOutbox()).ship("order-1", SHIPMENT)
