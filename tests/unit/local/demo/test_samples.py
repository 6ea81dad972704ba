import pytest

from local_start.demo.samples import STOCK, Sample, expected, make_samples, order_to_try
from shared.events import FLOW, Event, OrderCreated, PaymentAuthorized

SAMPLES = make_samples("1")
AVAILABLE = {stock.sku: stock.available for stock in STOCK}


def _orders(sample: Sample) -> list[OrderCreated]:
    return [step.event for step in sample.steps if isinstance(step.event, OrderCreated)]


def _may_follow_from(event: type[Event]) -> set[type[Event]]:
    known: set[type[Event]] = set()
    new = {event}
    while new:
        new = {cause.event for each in new for cause in FLOW[each].causes} - known
        known |= new
    return known


def test_each_run_of_the_demo_has_orders_of_its_own() -> None:
    one = {sample.order_id for sample in make_samples("1")} | {order_to_try("1").order_id}
    other = {sample.order_id for sample in make_samples("2")} | {order_to_try("2").order_id}

    assert len(one) == 5
    assert not one & other


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.ends)
def test_what_a_step_is_said_to_cause_is_what_the_domain_flow_lets_it_cause(sample: Sample) -> None:
    for step in sample.steps:
        assert set(step.causes) <= _may_follow_from(type(step.event))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.ends)
def test_a_shop_publishes_only_what_its_key_may(sample: Sample) -> None:
    assert not any(step.event.internal for step in sample.steps)


def test_what_is_paid_is_what_the_order_costs() -> None:
    for sample in SAMPLES:
        for step in sample.steps:
            if isinstance(step.event, PaymentAuthorized):
                assert [step.event.amount] == [order.total for order in _orders(sample)]


def test_only_the_order_that_is_to_fail_for_it_wants_more_than_there_is() -> None:
    short = {
        sample.order_id
        for sample in SAMPLES
        for order in _orders(sample)
        if any(line.quantity > AVAILABLE[line.sku] for line in order.lines)
    }

    assert short == {"demo-1-cleo"}


def test_what_is_expected_is_what_is_published_and_all_that_follows() -> None:
    (cleo,) = (sample for sample in SAMPLES if sample.order_id == "demo-1-cleo")

    assert expected(cleo.steps) == {
        "ORDER_CREATED": 1,
        "INVENTORY_RESERVED": 1,
        "ORDER_CANCELLED": 1,
        "INVENTORY_RELEASED": 1,
        "send-notification": 2,
    }
