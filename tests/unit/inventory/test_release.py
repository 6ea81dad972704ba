from adapters.inventory import FakeInventory
from adapters.outbox import FakeOutbox
from inventory_worker.domain import ReservationState
from inventory_worker.service import StockService
from unit.inventory.examples import line, of


async def test_releasing_makes_what_the_order_held_available_again() -> None:
    inventory, outbox = FakeInventory(of("mug", 10), of("pot", 3)), FakeOutbox()
    service = StockService(inventory, outbox)
    await service.reserve_for("order-1", [line("mug", 2), line("pot", 3)])
    await service.reserve_for("order-2", [line("mug", 5)])

    await service.release_for("order-1")

    assert inventory.stock == {"mug": of("mug", 10, reserved=5), "pot": of("pot", 3)}
    assert outbox.caused == []


async def test_releasing_twice_gives_back_once() -> None:
    inventory = FakeInventory(of("mug", 10))
    service = StockService(inventory, FakeOutbox())
    await service.reserve_for("order-1", [line("mug", 2)])
    await service.reserve_for("order-2", [line("mug", 5)])

    await service.release_for("order-1")
    await service.release_for("order-1")

    assert inventory.stock == {"mug": of("mug", 10, reserved=5)}


async def test_a_release_that_comes_first_keeps_the_reservation_from_ever_taking() -> None:
    inventory, outbox = FakeInventory(of("mug", 10)), FakeOutbox()
    service = StockService(inventory, outbox)

    await service.release_for("order-1")
    await service.reserve_for("order-1", [line("mug", 20)])
    await service.reserve_for("order-1", [line("mug", 2)])

    assert inventory.stock == {"mug": of("mug", 10)}
    assert outbox.caused == []


async def test_a_released_order_does_not_reserve_again() -> None:
    inventory = FakeInventory(of("mug", 10))
    service = StockService(inventory, FakeOutbox())
    await service.reserve_for("order-1", [line("mug", 2)])
    await service.release_for("order-1")

    await service.reserve_for("order-1", [line("mug", 2)])

    assert inventory.stock == {"mug": of("mug", 10)}


async def test_releasing_an_order_that_was_refused_gives_nothing_back() -> None:
    inventory = FakeInventory(of("mug", 10, reserved=9))
    service = StockService(inventory, FakeOutbox())
    await service.reserve_for("order-1", [line("mug", 2)])

    await service.release_for("order-1")

    assert inventory.stock == {"mug": of("mug", 10, reserved=9)}
    assert inventory.reservations["order-1"].state is ReservationState.REFUSED
