"""Which handlers a queue takes."""

import pytest

from shared.events import InventoryReserved, OrderCreated, OrderShipped
from shared.queue import Queue


async def handler(event: OrderShipped) -> None: ...


def test_a_type_of_another_queue_is_refused() -> None:
    with pytest.raises(ValueError, match="INVENTORY_RESERVED belongs to the queue inventory, not to orders"):
        Queue("orders").on(InventoryReserved)


def test_a_second_handler_is_refused() -> None:
    queue = Queue("orders")
    queue.on(OrderShipped)(handler)

    with pytest.raises(ValueError, match="ORDER_SHIPPED has a handler already"):
        queue.on(OrderShipped)


def test_a_handler_stays_the_function_that_it_was() -> None:
    assert Queue("orders").on(OrderShipped)(handler) is handler


def test_the_attempts_are_the_contracts_unless_the_declaration_says_otherwise() -> None:
    queue = Queue("orders")
    queue.on(OrderShipped)(handler)
    queue.on(OrderCreated, attempts=2)(handler)

    assert queue.attempts("ORDER_SHIPPED") == OrderShipped.max_attempts
    assert queue.attempts("ORDER_CREATED") == 2
    assert queue.attempts("UNKNOWN") == 5


def test_a_time_limit_can_be_set_and_lifted() -> None:
    queue = Queue("orders")
    queue.on(OrderShipped, time_limit=None)(handler)
    queue.on(OrderCreated, time_limit=2.5)(handler)

    assert queue.time_limit("ORDER_SHIPPED") is None
    assert queue.time_limit("ORDER_CREATED") == 2.5
    assert queue.time_limit("UNKNOWN") == 60.0


def test_a_handler_can_have_its_effect_outside_of_the_database() -> None:
    queue = Queue("orders")
    queue.on(OrderShipped, outside=True)(handler)
    queue.on(OrderCreated)(handler)

    assert queue.is_outside("ORDER_SHIPPED")
    assert not queue.is_outside("ORDER_CREATED")
    assert not queue.is_outside("UNKNOWN")
