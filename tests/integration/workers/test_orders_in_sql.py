"""The adapter of orders keeps what the port promises, on every database."""

import asyncio
from dataclasses import replace

import pytest

from order_worker.adapters.orders import SqlOrders
from order_worker.domain import Order, OrderMissingError
from shared.store.database import Database
from unit.orders.examples import PAYMENT, an_order, cancelled, paid, shipped

pytestmark = pytest.mark.parametrize("service", ["order_worker"], indirect=True)


async def test_an_order_is_found_as_it_was_added(database: Database) -> None:
    async with database.transaction() as session:
        assert await SqlOrders(session).add(an_order())

    async with database.reading() as session:
        assert await SqlOrders(session).find("order-1") == an_order()


async def test_an_order_without_a_locale_keeps_it_open(database: Database) -> None:
    order = replace(an_order(), customer=replace(an_order().customer, locale=None))
    async with database.transaction() as session:
        await SqlOrders(session).add(order)

    async with database.reading() as session:
        assert await SqlOrders(session).find("order-1") == order


async def test_a_second_order_of_the_same_id_changes_nothing(database: Database) -> None:
    async with database.transaction() as session:
        await SqlOrders(session).add(an_order())

    async with database.transaction() as session:
        assert not await SqlOrders(session).add(replace(an_order(), total=1))

    async with database.reading() as session:
        assert await SqlOrders(session).find("order-1") == an_order()


@pytest.mark.parametrize("after", [paid(), shipped(), cancelled(), cancelled(payment_id="payment-1")])
async def test_what_becomes_of_an_order_is_found_again(database: Database, after: Order) -> None:
    async with database.transaction() as session:
        await SqlOrders(session).add(an_order())

    async with database.transaction() as session:
        orders = SqlOrders(session)
        assert await orders.lock("order-1") == an_order()
        await orders.save(after)
        assert await orders.find("order-1") == after

    async with database.reading() as session:
        assert await SqlOrders(session).find("order-1") == after


async def test_an_order_that_was_never_added_is_missing(database: Database) -> None:
    async with database.reading() as session:
        with pytest.raises(OrderMissingError):
            await SqlOrders(session).find("order-1")
        with pytest.raises(OrderMissingError):
            await SqlOrders(session).lock("order-1")


async def test_two_changes_at_once_follow_one_another(database: Database) -> None:
    async def pay() -> bool:
        async with database.transaction() as session:
            orders = SqlOrders(session)
            before = await orders.lock("order-1")
            await asyncio.sleep(0.05)
            after = before.pay(PAYMENT)
            await orders.save(after)
            return after != before

    async with database.transaction() as session:
        await SqlOrders(session).add(an_order())

    assert sorted(await asyncio.gather(pay(), pay(), pay())) == [False, False, True]
