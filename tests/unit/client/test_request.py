import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.client.request import DeliveryOptions, encode
from shared.events import EXAMPLES, Event, OrderCancelled, PaymentRefunded, Priority

EVENT = OrderCancelled(order_id="1042", reason="Żółć \N{TEACUP WITHOUT HANDLE}")


def test_what_is_not_given_is_not_sent() -> None:
    assert json.loads(encode(EVENT, "id-1", {})) == {
        "type": "ORDER_CANCELLED",
        "data": {"order_id": "1042", "reason": "Żółć \N{TEACUP WITHOUT HANDLE}"},
        "id": "id-1",
    }
    nothing: DeliveryOptions = {"delay": None, "priority": None, "not_before": None, "max_attempts": None}
    assert encode(EVENT, "id-1", nothing) == encode(EVENT, "id-1", {})


def test_every_option_has_its_name_of_the_interface() -> None:
    options: DeliveryOptions = {
        "correlation_id": "story-1",
        "not_before": datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
        "priority": Priority.HIGH,
        "max_attempts": 3,
        "expires_at": datetime(2026, 11, 25, 13, 0, tzinfo=timezone(timedelta(hours=1))),
    }

    body = json.loads(encode(EVENT, "id-1", options))

    assert {name: body[name] for name in body.keys() - {"type", "data", "id"}} == {
        "correlation_id": "story-1",
        "not_before": "2026-11-24T12:00:00+00:00",
        "priority": "high",
        "max_attempts": 3,
        "expires_at": "2026-11-25T13:00:00+01:00",
    }


@pytest.mark.parametrize(
    ("delay", "milliseconds"),
    [
        (timedelta(), 0),
        (timedelta(seconds=1.5), 1500),
        (timedelta(microseconds=1999), 1),
        (timedelta(days=1), 86_400_000),
    ],
)
def test_a_delay_is_sent_in_whole_milliseconds(delay: timedelta, milliseconds: int) -> None:
    assert json.loads(encode(EVENT, "id-1", {"delay": delay}))["delay_ms"] == milliseconds


def test_optional_fields_that_are_absent_are_not_sent() -> None:
    event = PaymentRefunded(refund_id="r", order_id="1", reason="x")

    assert set(json.loads(encode(event, "id-1", {}))["data"]) == {"refund_id", "order_id", "reason"}


@pytest.mark.parametrize("event", EXAMPLES.values(), ids=lambda event: event.type)
def test_the_data_of_every_type_is_sent_as_its_contract_has_it(event: Event) -> None:
    body = json.loads(encode(event, "id-1", {}))

    assert (body["type"], body["data"]) == (event.type, event.to_data())
