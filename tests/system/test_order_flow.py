"""The first flow of a shop, through the real processes as a person starts them."""

from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

from shared.events import OrderCancelled, OrderPaid, OrderShipped
from support.checker import Checker
from support.faults_client import Client, order
from support.system import Shape, System


@pytest.fixture
def system(tmp_path: Path) -> Generator[System]:
    with System(tmp_path, Shape(forked=False, lease=None)) as system:
        yield system


@pytest.fixture
def client(system: System) -> Generator[Client]:
    with system.client() as client:
        client.set_stock("mug", 10, threshold=8)
        yield client


@pytest.mark.timeout(120)
def test_orders_go_their_ways_and_the_stock_follows(system: System, client: Client) -> None:
    for order_id in ("paid", "cancelled"):
        client.publish(order(order_id, mug=2))
    client.publish(order("too-much", mug=7))
    checker = Checker(system)
    checker.settle(within=30)
    client.publish(OrderPaid(order_id="paid", payment_id="p-1", amount=1000, currency="EUR"))
    client.publish(OrderShipped(order_id="paid", carrier="DHL", tracking_number="0034"))
    client.publish(OrderCancelled(order_id="cancelled", reason="changed_mind"))
    checker.settle(within=30)

    assert {name: client.order(name)["status"] for name in ("paid", "cancelled", "too-much")} == {
        "paid": "shipped",
        "cancelled": "cancelled",
        "too-much": "cancelled",
    }
    assert client.stock("mug") == {
        "sku": "mug",
        "on_hand": 10,
        "reserved": 2,
        "available": 8,
        "low_stock_threshold": 8,
    }
    story = client.get("/v1/timeline/too-much")["items"]
    assert Counter(event["type"] for event in story if event["queue"] != "notifications") == {
        "ORDER_CREATED": 1,
        "INVENTORY_RESERVED": 1,
        "ORDER_CANCELLED": 1,
        "INVENTORY_RELEASED": 1,
    }
    judgement = checker.judge(client.history, stock={"mug": 10})
    assert not judgement.wrong, judgement


@pytest.mark.timeout(120)
def test_each_process_may_be_killed_in_the_middle_of_it(system: System, client: Client) -> None:
    client.set_stock("mug", 1_000)
    for number, service in enumerate(system.services.values()):
        client.publish_many([order(f"{number}-{n}", mug=1) for n in range(20)])
        service.kill9()
    system.wait_until_ready()

    checker = Checker(system)
    checker.settle(within=60)
    judgement = checker.judge(client.history, stock={"mug": 1_000})
    assert not judgement.wrong, judgement
    assert client.stock("mug")["reserved"] == 20 * len(system.services)
