import pytest

from adapters.orders import FakeOrders
from adapters.outbox import FakeOutbox
from order_worker.service import OrderService
from shared.events.inventory import InventoryReserved
from shared.events.lines import StockLine
from shared.events.notifications import Recipient, SendNotification
from shared.events.orders import OrderCreated
from unit.orders.examples import FREE, an_order, dead, free, order_created, paid, shipped


async def test_a_placed_order_is_pending() -> None:
    orders = FakeOrders()

    await OrderService(orders, FakeOutbox()).place(order_created())

    assert orders.stored == {"order-1": an_order()}


async def test_an_order_that_costs_nothing_is_placed_as_paid() -> None:
    orders = FakeOrders()

    await OrderService(orders, FakeOutbox()).place(FREE)

    assert orders.stored == {"order-1": free(paid())}


async def test_a_placed_order_asks_for_its_stock_and_confirms_itself_to_the_customer() -> None:
    outbox = FakeOutbox()

    await OrderService(FakeOrders(), outbox).place(order_created())

    assert outbox.caused == [
        InventoryReserved(
            order_id="order-1",
            lines=(StockLine(sku="mug", quantity=2), StockLine(sku="pot", quantity=1)),
        ),
        SendNotification(
            recipient=Recipient(user_id="customer-1", email="ada@example.com", locale="en"),
            template="order-confirmation",
            variables={
                "name": "Ada Lovelace",
                "order_id": "order-1",
                "lines": [
                    {"sku": "mug", "quantity": 2, "unit_price": 1250},
                    {"sku": "pot", "quantity": 1, "unit_price": 1200},
                ],
                "total": 3700,
                "currency": "EUR",
            },
        ),
    ]


async def test_the_same_order_again_changes_and_causes_nothing() -> None:
    orders, outbox = FakeOrders(shipped()), FakeOutbox()

    await OrderService(orders, outbox).place(order_created())

    assert orders.stored == {"order-1": shipped()}
    assert outbox.caused == []


@pytest.mark.parametrize("other", [order_created(name="Charles Babbage"), order_created(pots=2)])
async def test_another_order_under_the_same_id_is_a_conflict_and_causes_nothing(other: OrderCreated) -> None:
    orders, outbox = FakeOrders(an_order()), FakeOutbox()

    with dead("order_conflict"):
        await OrderService(orders, outbox).place(other)

    assert orders.stored == {"order-1": an_order()}
    assert outbox.caused == []
