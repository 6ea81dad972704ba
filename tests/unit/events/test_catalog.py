import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from shared.events import (
    EVENT_TYPES,
    EXAMPLES,
    QUEUES,
    Event,
    LowStockAlert,
    PaymentRefunded,
    Recipient,
    SendNotification,
    UnknownTypeError,
    contract_of,
    json_schema,
    parse,
    queue_of,
)

ROUTES = {
    "ORDER_CREATED": "orders",
    "ORDER_PAID": "orders",
    "ORDER_SHIPPED": "orders",
    "ORDER_CANCELLED": "orders",
    "PAYMENT_AUTHORIZED": "payments",
    "PAYMENT_REFUNDED": "payments",
    "INVENTORY_RESERVED": "inventory",
    "INVENTORY_RELEASED": "inventory",
    "LOW_STOCK_ALERT": "inventory",
    "send-notification": "notifications",
    "batch-notification": "notifications",
    "SEND_EMAIL": "notifications",
}
NOT_JSON = {
    "empty": b"",
    "spaces": b"  ",
    "not UTF-8": b'{"order_id": "\xff", "reason": "r"}',
    "UTF-16": '{"order_id": "1", "reason": "r"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"order_id": "1", "reason": "r"}',
    "trailing bytes": b'{"order_id": "1", "reason": "r"} x',
    "cut off": b'{"order_id": "1", "rea',
    "single quotes": b"{'order_id': '1', 'reason': 'r'}",
    "100,000 levels": b"[" * 100_000,
}


def test_every_type_has_its_queue() -> None:
    assert {name: queue_of(name) for name in EVENT_TYPES} == ROUTES
    assert set(QUEUES) == set(ROUTES.values())


def test_a_class_bears_the_name_of_its_type() -> None:
    for name, contract in EVENT_TYPES.items():
        assert contract.__name__ == "".join(part.capitalize() for part in re.split("[_-]", name))


def test_every_contract_is_in_the_list() -> None:
    def below(contract: type[Event]) -> set[type[Event]]:
        return {contract}.union(*map(below, contract.__subclasses__()))

    assert (
        {each for each in below(Event) if "type" in vars(each)} == set(EVENT_TYPES.values()) == set(EXAMPLES)
    )


def test_only_services_publish_the_internal_types() -> None:
    internal = {name for name, contract in EVENT_TYPES.items() if contract.internal}

    assert internal == {"INVENTORY_RESERVED", "INVENTORY_RELEASED", "ORDER_PAID", "LOW_STOCK_ALERT"}


@pytest.mark.parametrize(
    "name", ["", "order_created", "ORDER_CREATED ", "OrderCreated", "ORDER_DELETED", "\x00"]
)
def test_an_unknown_type_is_told_apart_and_not_repeated(name: str) -> None:
    def parse_nothing(name: str) -> Event:
        return parse(name, "{}")

    asks: list[Callable[[str], object]] = [contract_of, queue_of, json_schema, parse_nothing]
    for ask in asks:
        with pytest.raises(UnknownTypeError) as caught:
            ask(name)
        assert caught.value.type_name == name
        assert str(caught.value) == "unknown event type"


@pytest.mark.parametrize("data", NOT_JSON.values(), ids=NOT_JSON)
def test_bytes_that_are_no_json_are_refused(data: bytes) -> None:
    with pytest.raises(ValidationError) as caught:
        parse("ORDER_CANCELLED", data)
    assert [error["type"] for error in caught.value.errors()] == ["json_invalid"]


@pytest.mark.parametrize("data", ["null", "1", "true", '"text"', "[]"])
@pytest.mark.parametrize("name", EVENT_TYPES)
def test_only_an_object_is_an_event(name: str, data: str) -> None:
    with pytest.raises(ValidationError):
        parse(name, data)


@given(st.sampled_from(sorted(EVENT_TYPES)), st.binary(max_size=200))
def test_no_bytes_can_do_more_than_be_refused(name: str, data: bytes) -> None:
    with pytest.raises(ValidationError):
        parse(name, data)


@pytest.mark.parametrize("contract", EXAMPLES)
def test_an_event_survives_the_wire(contract: type[Event]) -> None:
    event = EXAMPLES[contract]

    assert parse(contract.type, event.to_json()) == event
    assert parse(contract.type, event.to_json().encode()) == event
    assert json.loads(event.to_json()) == event.to_data()


@pytest.mark.parametrize(
    ("name", "subject", "correlation"),
    [
        ("ORDER_CREATED", "order/1042", "1042"),
        ("ORDER_PAID", "order/1042", "1042"),
        ("ORDER_SHIPPED", "order/1042", "1042"),
        ("ORDER_CANCELLED", "order/1042", "1042"),
        ("PAYMENT_AUTHORIZED", "payment/pay-311", "1042"),
        ("PAYMENT_REFUNDED", "payment/pay-311", "1042"),
        ("INVENTORY_RESERVED", "order/1042", "1042"),
        ("INVENTORY_RELEASED", "order/1042", "1042"),
        ("LOW_STOCK_ALERT", "sku/MUG-BLUE", None),
        ("send-notification", "user/c-7", None),
        ("batch-notification", None, None),
        ("SEND_EMAIL", None, None),
    ],
)
def test_an_event_knows_what_it_is_about(name: str, subject: str | None, correlation: str | None) -> None:
    event = EXAMPLES[EVENT_TYPES[name]]

    assert (event.subject(), event.correlation()) == (subject, correlation)


def test_a_refund_of_an_unnamed_payment_is_about_the_order() -> None:
    assert PaymentRefunded(refund_id="r", order_id="1", reason="x").subject() == "order/1"


def test_a_mail_address_is_no_subject() -> None:
    event = SendNotification(recipient=Recipient(email="ada@example.com"), template="t", variables={})

    assert event.subject() is None


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_a_schema_names_every_field_and_shows_an_example(name: str) -> None:
    schema = json_schema(name)
    contract = EVENT_TYPES[name]

    assert schema["additionalProperties"] is False
    assert schema["examples"] == [EXAMPLES[contract].to_data()]
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert set(properties) == {field.alias or key for key, field in contract.model_fields.items()}


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_number_text_and_list_of_a_schema_is_bounded(name: str) -> None:
    bounds = {"string": "maxLength", "integer": "maximum", "array": "maxItems"}

    def walk(node: JsonValue) -> None:
        if isinstance(node, dict):
            kind = node.get("type")
            if isinstance(kind, str) and kind in bounds:
                assert bounds[kind] in node
        for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            walk(inner)

    walk({key: value for key, value in json_schema(name).items() if key != "examples"})


def test_stock_that_is_negative_is_no_stock() -> None:
    with pytest.raises(ValidationError):
        LowStockAlert(sku="MUG", available=-1, threshold=5)
