from adapters.inventory import FakeInventory
from adapters.outbox import FakeOutbox
from inventory_worker.service import StockCount, StockService
from shared.events.inventory import LowStockAlert
from shared.events.notifications import Recipient, SendNotification
from unit.inventory.examples import line, of


def alert(available: int) -> LowStockAlert:
    return LowStockAlert(sku="mug", available=available, threshold=5)


async def test_falling_to_the_threshold_is_not_falling_below_it() -> None:
    outbox = FakeOutbox()

    await StockService(FakeInventory(of("mug", 10, threshold=5)), outbox).reserve_for(
        "order-1", [line("mug", 5)]
    )

    assert outbox.caused == []


async def test_falling_below_the_threshold_alerts_once() -> None:
    outbox = FakeOutbox()
    service = StockService(FakeInventory(of("mug", 10, threshold=5)), outbox)

    await service.reserve_for("order-1", [line("mug", 6)])
    await service.reserve_for("order-2", [line("mug", 1)])

    assert outbox.caused == [alert(4)]


async def test_each_sku_alerts_for_itself() -> None:
    outbox = FakeOutbox()
    inventory = FakeInventory(of("mug", 5, threshold=5), of("pan", 9), of("pot", 2, threshold=2))

    await StockService(inventory, outbox).reserve_for(
        "order-1", [line("mug", 1), line("pan", 9), line("pot", 1)]
    )

    assert outbox.caused == [alert(4), LowStockAlert(sku="pot", available=1, threshold=2)]


async def test_a_release_up_to_the_threshold_makes_the_next_fall_an_alert() -> None:
    outbox = FakeOutbox()
    service = StockService(FakeInventory(of("mug", 10, threshold=5)), outbox)
    await service.reserve_for("order-1", [line("mug", 6)])

    await service.release_for("order-1")
    await service.reserve_for("order-2", [line("mug", 7)])

    assert outbox.caused == [alert(4), alert(3)]


async def test_a_release_that_stays_below_the_threshold_does_not() -> None:
    outbox = FakeOutbox()
    service = StockService(FakeInventory(of("mug", 10, threshold=5)), outbox)
    await service.reserve_for("order-1", [line("mug", 8)])
    await service.reserve_for("order-2", [line("mug", 1)])

    await service.release_for("order-2")
    await service.reserve_for("order-3", [line("mug", 1)])

    assert outbox.caused == [alert(2)]


async def test_new_stock_makes_the_next_fall_an_alert() -> None:
    inventory, outbox = FakeInventory(of("mug", 10, threshold=5)), FakeOutbox()
    service = StockService(inventory, outbox)
    await service.reserve_for("order-1", [line("mug", 6)])

    await StockCount(inventory).set_to("mug", 20, 5)
    await service.reserve_for("order-2", [line("mug", 11)])

    assert outbox.caused == [alert(4), alert(3)]


async def test_an_order_that_is_refused_alerts_nobody() -> None:
    outbox = FakeOutbox()
    inventory = FakeInventory(of("mug", 5, threshold=5), of("pot", 0, threshold=5))

    await StockService(inventory, outbox).reserve_for("order-1", [line("mug", 5), line("pot", 1)])

    assert [event.type for event in outbox.caused] == ["ORDER_CANCELLED"]


async def test_an_alert_is_told_to_the_operators() -> None:
    outbox = FakeOutbox()

    await StockService(FakeInventory(), outbox).alert_operators(alert(4), "ops@example.com")

    assert outbox.caused == [
        SendNotification(
            recipient=Recipient(email="ops@example.com"),
            template="low-stock",
            variables={"sku": "mug", "available": 4, "threshold": 5},
        )
    ]
