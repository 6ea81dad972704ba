"""The adapter of inventory keeps what the port promises, on every database."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from adapters.outbox import FakeOutbox
from inventory_worker.adapters.inventory import MovementRow, SqlInventory
from inventory_worker.domain import (
    Movement,
    MovementKind,
    Reservation,
    ReservationState,
    Stock,
    StockMissingError,
)
from inventory_worker.service import StockCount, StockService
from shared.store.database import Database
from unit.inventory.examples import line, of

pytestmark = pytest.mark.parametrize("service", ["inventory_worker"], indirect=True)

RESERVED = Reservation("order-1", ReservationState.RESERVED, {"mug": 2})


async def set_stock(database: Database, *stock: Stock) -> None:
    async with database.transaction() as session:
        for item in stock:
            await StockCount(SqlInventory(session)).set_to(item.sku, item.on_hand, item.low_stock_threshold)


async def find(database: Database, sku: str) -> Stock:
    async with database.reading() as session:
        return await SqlInventory(session).find(sku)


async def test_stock_is_found_as_it_was_recorded(database: Database) -> None:
    await set_stock(database, of("mug", 10, threshold=5))
    before, after = of("mug", 10, threshold=5), of("mug", 10, reserved=6, threshold=5, alerted=True)

    async with database.transaction() as session:
        inventory = SqlInventory(session)
        assert await inventory.lock(["mug"]) == {"mug": before}
        await inventory.record([Movement(MovementKind.RESERVED, before, after, "order-1")])
        assert await inventory.find("mug") == after

    assert await find(database, "mug") == after


async def test_only_known_skus_are_locked(database: Database) -> None:
    await set_stock(database, of("mug", 10), of("pot", 3))

    async with database.transaction() as session:
        assert await SqlInventory(session).lock(["pot", "pan", "mug"]) == {
            "mug": of("mug", 10),
            "pot": of("pot", 3),
        }


async def test_a_sku_that_was_never_set_is_missing(database: Database) -> None:
    with pytest.raises(StockMissingError):
        await find(database, "mug")


async def test_an_order_has_one_reservation(database: Database) -> None:
    async with database.transaction() as session:
        assert await SqlInventory(session).add_or_lock(RESERVED) is None

    async with database.transaction() as session:
        released = Reservation("order-1", ReservationState.RELEASED, {})
        assert await SqlInventory(session).add_or_lock(released) == RESERVED


async def test_what_becomes_of_a_reservation_is_found_again(database: Database) -> None:
    released = replace(RESERVED, state=ReservationState.RELEASED)
    async with database.transaction() as session:
        inventory = SqlInventory(session)
        await inventory.add_or_lock(RESERVED)
        await inventory.save(released)
        assert await inventory.add_or_lock(RESERVED) == released


@pytest.mark.parametrize(
    "broken", ["reserved = 11", "reserved = -1", "on_hand = -1", "low_stock_threshold = -1"]
)
async def test_the_database_refuses_impossible_stock(database: Database, broken: str) -> None:
    await set_stock(database, of("mug", 10))

    with pytest.raises(IntegrityError):
        async with database.transaction() as session:
            await session.execute(text(f"UPDATE stock SET {broken}"))

    assert await find(database, "mug") == of("mug", 10)


async def test_the_database_refuses_to_give_back_twice(database: Database) -> None:
    await set_stock(database, of("mug", 10))
    released = Movement(MovementKind.RELEASED, of("mug", 10), of("mug", 10), "order-1")
    async with database.transaction() as session:
        await SqlInventory(session).record([released])

    with pytest.raises(IntegrityError):
        async with database.transaction() as session:
            await SqlInventory(session).record([released])


async def test_a_crowd_never_buys_more_than_there_is(database: Database) -> None:
    skus = ["mug", "pan", "pot"]
    await set_stock(database, *(of(sku, 10) for sku in skus))
    room = asyncio.Semaphore(10)  # the pool's: who waits for that is told after a while that it is full

    async def buy(number: int) -> bool:
        """Two of the three SKUs, named in an order that invites a deadlock."""
        wanted = [line(skus[number % 3], 1), line(skus[(number + 1 + number % 2) % 3], 1)]
        outbox = FakeOutbox()
        async with room, database.transaction() as session:
            service = StockService(SqlInventory(session), outbox)
            await service.reserve_for(f"order-{number}", wanted)
            if number % 5 == 0:
                await service.release_for(f"order-{number}")
        return not outbox.caused and number % 5 != 0

    bought = await asyncio.gather(*(buy(number) for number in range(60)))

    stock = [await find(database, sku) for sku in skus]
    assert sum(item.reserved for item in stock) == 2 * sum(bought)
    assert all(item.on_hand == 10 and item.available >= 0 for item in stock)
    assert sorted(item.available for item in stock)[:2] == [0, 0]


async def test_the_movements_add_up_to_the_stock(database: Database) -> None:
    await set_stock(database, of("mug", 10))
    async with database.transaction() as session:
        service = StockService(SqlInventory(session), FakeOutbox())
        await service.reserve_for("order-1", [line("mug", 2)])
        await service.reserve_for("order-2", [line("mug", 3)])
        await service.release_for("order-1")
    await set_stock(database, of("mug", 8))

    async with database.reading() as session:
        sums = select(
            func.sum(col(MovementRow.on_hand_change)), func.sum(col(MovementRow.reserved_change))
        ).where(col(MovementRow.sku) == "mug")
        assert tuple((await session.execute(sums)).one()) == (8, 3)
    assert await find(database, "mug") == of("mug", 8, reserved=3)
