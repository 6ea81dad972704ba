"""Whatever is asked of the stock, and in whatever order, it adds up to the unit."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from adapters.inventory import FakeInventory
from adapters.outbox import FakeOutbox
from inventory_worker.domain import BelowReservedError, Movement, MovementKind, ReservationState
from inventory_worker.service import StockCount, StockService
from shared.events.inventory import LowStockAlert
from unit.inventory.examples import line, of

SKUS = ("mug", "pan", "pot")
ORDERS = ("order-1", "order-2", "order-3", "order-4")


@dataclass(frozen=True)
class Reserve:
    order_id: str
    wanted: dict[str, int]


@dataclass(frozen=True)
class Release:
    order_id: str


@dataclass(frozen=True)
class SetTo:
    sku: str
    on_hand: int
    threshold: int


WANTED = st.dictionaries(st.sampled_from((*SKUS, "unknown")), st.integers(1, 6), min_size=1)
STEPS = st.one_of(
    st.builds(Reserve, st.sampled_from(ORDERS), WANTED),
    st.builds(Release, st.sampled_from(ORDERS)),
    st.builds(SetTo, st.sampled_from(SKUS), st.integers(0, 15), st.integers(0, 8)),
)


async def take(step: Reserve | Release | SetTo, inventory: FakeInventory, outbox: FakeOutbox) -> None:
    match step:
        case Reserve(order_id, wanted):
            lines = [line(sku, quantity) for sku, quantity in wanted.items()]
            await StockService(inventory, outbox).reserve_for(order_id, lines)
        case Release(order_id):
            await StockService(inventory, outbox).release_for(order_id)
        case SetTo(sku, on_hand, threshold):
            with suppress(BelowReservedError):
                await StockCount(inventory).set_to(sku, on_hand, threshold)


def check_that_it_adds_up(inventory: FakeInventory) -> None:
    held: Counter[str] = Counter()
    for reservation in inventory.reservations.values():
        if reservation.state is ReservationState.RESERVED:
            held.update(reservation.lines)
    for sku, stock in inventory.stock.items():
        moves = [move for move in inventory.movements if move.sku == sku]
        assert stock.available >= 0
        assert stock.on_hand == stock.available + stock.reserved
        assert stock.reserved == held[sku]
        assert stock.reserved == sum(move.reserved_change for move in moves)
        assert stock.on_hand == 10 + sum(move.on_hand_change for move in moves)


class Watch:
    """Which alerts are due: for a fall by a reservation, once until the stock is not low any more."""

    def __init__(self) -> None:
        self.alerted: set[str] = set()

    def check(self, inventory: FakeInventory, moved: list[Movement], outbox: FakeOutbox) -> None:
        low = {sku for sku, stock in inventory.stock.items() if stock.available < stock.low_stock_threshold}
        self.alerted &= low
        fallen = {move.sku for move in moved if move.kind is MovementKind.RESERVED} & low
        alerts = [event for event in outbox.take() if isinstance(event, LowStockAlert)]
        assert sorted(alert.sku for alert in alerts) == sorted(fallen - self.alerted)
        assert all(alert.available == inventory.stock[alert.sku].available for alert in alerts)
        self.alerted |= fallen


@given(st.lists(STEPS, max_size=30))
def test_stock_adds_up_and_every_fall_is_alerted_once(steps: list[Reserve | Release | SetTo]) -> None:
    async def run() -> None:
        inventory, outbox = FakeInventory(*(of(sku, 10, threshold=3) for sku in SKUS)), FakeOutbox()
        watch = Watch()
        for step in steps:
            already = len(inventory.movements)
            await take(step, inventory, outbox)
            check_that_it_adds_up(inventory)
            watch.check(inventory, inventory.movements[already:], outbox)

    asyncio.run(run())


Asked = Callable[[StockService], Awaitable[None]]
FACTS: dict[str, Asked] = {
    "reserve": lambda stock: stock.reserve_for("order-1", [line("mug", 2), line("pot", 1)]),
    "release": lambda stock: stock.release_for("order-1"),
}


@given(st.lists(st.sampled_from(list(FACTS)), min_size=1, max_size=8))
def test_once_released_an_order_holds_nothing_in_whatever_order_it_came(facts: list[str]) -> None:
    async def run() -> FakeInventory:
        inventory = FakeInventory(*(of(sku, 10) for sku in SKUS))
        for fact in facts:
            await FACTS[fact](StockService(inventory, FakeOutbox()))
        return inventory

    stock = asyncio.run(run()).stock

    held = 0 if "release" in facts else 2
    assert stock["mug"].reserved == held
    assert stock["pot"].reserved == held // 2
