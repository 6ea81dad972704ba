"""Whatever order an order's events come in, and however often, it ends in the same state."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.orders import FakeOrders
from adapters.outbox import FakeOutbox
from order_worker.domain import Order, OrderStatus
from order_worker.service import OrderService
from shared.events.notifications import SendNotification
from shared.queue.outcomes import GiveUpError, PostponeError
from unit.orders.examples import FREE, PAYMENT, SHIPMENT, cancelled, free, order_created, paid, shipped

Told = Callable[[OrderService], Awaitable[None]]

FACTS: dict[str, Told] = {
    "created": lambda orders: orders.place(order_created()),
    "created free": lambda orders: orders.place(FREE),
    "paid": lambda orders: orders.pay("order-1", PAYMENT),
    "shipped": lambda orders: orders.ship("order-1", SHIPMENT),
    "cancelled": lambda orders: orders.cancel("order-1", "changed my mind"),
}
STORIES: list[tuple[tuple[str, ...], Order]] = [
    (("created", "paid"), paid()),
    (("created", "paid", "shipped"), shipped()),
    (("created", "cancelled"), cancelled()),
    (("created", "paid", "cancelled"), cancelled(payment_id="payment-1")),
    (("created free",), free(paid())),
    (("created free", "shipped"), free(shipped())),
    (("created free", "cancelled"), free(cancelled())),
]
CONTRADICTIONS = [
    ("created", "paid", "shipped", "cancelled"),
    ("created free", "paid", "shipped", "cancelled"),
]
STEPS_ON = {
    None: {None, OrderStatus.PENDING, OrderStatus.PAID},
    OrderStatus.PENDING: {OrderStatus.PENDING, OrderStatus.PAID, OrderStatus.CANCELLED},
    OrderStatus.PAID: {OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.CANCELLED},
    OrderStatus.SHIPPED: {OrderStatus.SHIPPED},
    OrderStatus.CANCELLED: {OrderStatus.CANCELLED},
}


def told_somehow(facts: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    """Each fact at least once, with repeats, in any order."""
    repeats = st.lists(st.sampled_from(facts), max_size=6)
    return repeats.flatmap(lambda again: st.permutations([*facts, *again]))


async def tell(facts: list[str]) -> tuple[FakeOrders, FakeOutbox]:
    """Tells each fact; what comes too early is told again after all others, as long as that helps."""
    orders, outbox = FakeOrders(), FakeOutbox()
    service = OrderService(orders, outbox)
    waiting, status, futile = deque(facts), None, 0
    while waiting and futile <= len(waiting):
        fact = waiting.popleft()
        try:
            await FACTS[fact](service)
            futile = 0
        except PostponeError:
            waiting.append(fact)
            futile += 1
        except GiveUpError:
            pass
        before, status = status, orders.stored["order-1"].status if orders.stored else None
        assert status in STEPS_ON[before]
    return orders, outbox


@settings(max_examples=500)
@given(st.sampled_from(STORIES).flatmap(lambda story: st.tuples(told_somehow(story[0]), st.just(story[1]))))
def test_every_telling_of_a_story_ends_in_the_same_order(telling: tuple[list[str], Order]) -> None:
    facts, end = telling

    orders, outbox = asyncio.run(tell(facts))

    assert orders.stored["order-1"] == end
    types = Counter(event.type for event in outbox.caused if not isinstance(event, SendNotification))
    expected = Counter({"INVENTORY_RESERVED": 1})
    if end.status is OrderStatus.CANCELLED:
        expected["INVENTORY_RELEASED"] = 1
        if end.payment_id:
            expected["PAYMENT_REFUNDED"] = 1
    assert types == expected


@settings(max_examples=500)
@given(st.sampled_from(CONTRADICTIONS).flatmap(told_somehow))
def test_even_contradicting_events_never_take_a_state_back_nor_notify_twice(facts: list[str]) -> None:
    orders, outbox = asyncio.run(tell(facts))

    assert orders.stored["order-1"].status in {OrderStatus.SHIPPED, OrderStatus.CANCELLED}
    sent = Counter(event.template for event in outbox.caused if isinstance(event, SendNotification))
    assert max(sent.values()) == 1
