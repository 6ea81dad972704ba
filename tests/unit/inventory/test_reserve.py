from adapters.inventory import FakeInventory
from adapters.outbox import FakeOutbox
from inventory_worker.domain import MovementKind, ReservationState
from inventory_worker.service import StockService
from shared.events.orders import OrderCancelled
from unit.inventory.examples import line, of

OUT_OF_STOCK = OrderCancelled(order_id="order-1", reason="out_of_stock")


async def test_reserving_moves_units_from_available_to_reserved_and_leaves_on_hand() -> None:
    inventory, outbox = FakeInventory(of("mug", 10), of("pot", 3)), FakeOutbox()

    await StockService(inventory, outbox).reserve_for("order-1", [line("mug", 2), line("pot", 3)])

    assert inventory.stock == {"mug": of("mug", 10, reserved=2), "pot": of("pot", 3, reserved=3)}
    assert outbox.caused == []


async def test_each_line_is_a_movement_of_its_order() -> None:
    inventory = FakeInventory(of("mug", 10), of("pot", 3))

    await StockService(inventory, FakeOutbox()).reserve_for("order-1", [line("mug", 2), line("pot", 3)])

    assert [
        (move.sku, move.kind, move.on_hand_change, move.reserved_change, move.order_id)
        for move in inventory.movements
    ] == [
        ("mug", MovementKind.RESERVED, 0, 2, "order-1"),
        ("pot", MovementKind.RESERVED, 0, 3, "order-1"),
    ]


async def test_one_short_line_leaves_the_whole_stock_untouched_and_cancels_the_order() -> None:
    inventory, outbox = FakeInventory(of("mug", 10), of("pot", 0)), FakeOutbox()

    await StockService(inventory, outbox).reserve_for("order-1", [line("mug", 2), line("pot", 1)])

    assert inventory.stock == {"mug": of("mug", 10), "pot": of("pot", 0)}
    assert inventory.movements == []
    assert outbox.caused == [OUT_OF_STOCK]


async def test_a_sku_that_nobody_knows_is_out_of_stock() -> None:
    outbox = FakeOutbox()

    await StockService(FakeInventory(), outbox).reserve_for("order-1", [line("mug", 1)])

    assert outbox.caused == [OUT_OF_STOCK]


async def test_what_others_have_reserved_is_not_available() -> None:
    inventory, outbox = FakeInventory(of("mug", 10, reserved=9)), FakeOutbox()

    await StockService(inventory, outbox).reserve_for("order-1", [line("mug", 2)])

    assert inventory.stock == {"mug": of("mug", 10, reserved=9)}
    assert outbox.caused == [OUT_OF_STOCK]


async def test_the_last_unit_can_be_reserved() -> None:
    inventory = FakeInventory(of("mug", 10, reserved=9))

    await StockService(inventory, FakeOutbox()).reserve_for("order-1", [line("mug", 1)])

    assert inventory.stock == {"mug": of("mug", 10, reserved=10)}


async def test_an_order_reserves_once_however_often_it_asks() -> None:
    inventory, outbox = FakeInventory(of("mug", 10)), FakeOutbox()
    service = StockService(inventory, outbox)

    for _ in range(3):
        await service.reserve_for("order-1", [line("mug", 2)])

    assert inventory.stock == {"mug": of("mug", 10, reserved=2)}
    assert outbox.caused == []


async def test_an_order_that_was_refused_is_not_reserved_once_there_is_stock() -> None:
    inventory, outbox = FakeInventory(of("mug", 1)), FakeOutbox()
    service = StockService(inventory, outbox)
    await service.reserve_for("order-1", [line("mug", 2)])
    inventory.stock["mug"] = of("mug", 10)

    await service.reserve_for("order-1", [line("mug", 2)])

    assert inventory.stock == {"mug": of("mug", 10)}
    assert inventory.reservations["order-1"].state is ReservationState.REFUSED
    assert outbox.caused == [OUT_OF_STOCK]
