import pytest

from adapters.inventory import FakeInventory
from inventory_worker.domain import BelowReservedError, MovementKind, StockMissingError
from inventory_worker.service import StockCount
from unit.inventory.examples import of


async def test_setting_the_stock_of_a_new_sku_makes_it() -> None:
    inventory = FakeInventory()

    stock = await StockCount(inventory).set_to("mug", 10, 5)

    assert stock == of("mug", 10, threshold=5)
    assert inventory.stock == {"mug": stock}


async def test_setting_stock_keeps_what_is_reserved() -> None:
    inventory = FakeInventory(of("mug", 10, reserved=4, threshold=5))

    stock = await StockCount(inventory).set_to("mug", 4, 1)

    assert stock == of("mug", 4, reserved=4, threshold=1)
    assert stock.available == 0


async def test_stock_is_never_set_below_what_is_reserved() -> None:
    inventory = FakeInventory(of("mug", 10, reserved=4))

    with pytest.raises(BelowReservedError):
        await StockCount(inventory).set_to("mug", 3, 0)

    assert inventory.stock == {"mug": of("mug", 10, reserved=4)}


async def test_a_count_is_a_movement_by_the_difference() -> None:
    inventory = FakeInventory(of("mug", 10, reserved=4))

    await StockCount(inventory).set_to("mug", 7, 0)

    [movement] = inventory.movements
    assert (movement.kind, movement.on_hand_change, movement.reserved_change, movement.order_id) == (
        MovementKind.ADJUSTED,
        -3,
        0,
        None,
    )


async def test_setting_what_is_already_so_moves_nothing() -> None:
    inventory = FakeInventory(of("mug", 10, threshold=5))

    await StockCount(inventory).set_to("mug", 10, 5)

    assert inventory.movements == []


async def test_a_sku_that_was_never_set_has_no_stock_to_see() -> None:
    with pytest.raises(StockMissingError):
        await StockCount(FakeInventory()).find("mug")
