import json
from collections.abc import Callable

import pytest

from shared.events import (
    Event,
    InventoryReserved,
    LowStockAlert,
    OrderCreated,
    OrderPaid,
    PaymentAuthorized,
    PaymentRefunded,
    SendNotification,
)
from shared.events.money import CURRENCIES, MONEY_MAX

QUANTITIES = [(OrderCreated, "lines.0.quantity"), (InventoryReserved, "lines.0.quantity")]
PRICES = [(OrderCreated, "lines.0.unit_price"), (OrderCreated, "total")]
AMOUNTS = [(OrderPaid, "amount"), (PaymentAuthorized, "amount"), (PaymentRefunded, "amount")]
STOCK = [(LowStockAlert, "available"), (LowStockAlert, "threshold")]
MONEY = [(OrderCreated, "currency"), (OrderPaid, "currency"), (PaymentAuthorized, "currency")]
NO_INTEGER = {
    "true": "true",
    "false": "false",
    "text": '"2"',
    "empty text": '""',
    "fraction": "2.5",
    "whole fraction": "2.0",
    "exponent": "1e2",
    "null": "null",
    "list": "[2]",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "leading zero": "02",
    "plus": "+2",
    "hexadecimal": "0x2",
    "beyond 64 bits": str(2**64),
    "of 5,000 digits": "9" * 5000,
}


@pytest.mark.parametrize("raw", NO_INTEGER.values(), ids=NO_INTEGER)
@pytest.mark.parametrize(("contract", "field"), QUANTITIES + PRICES + AMOUNTS[:2] + STOCK)
def test_only_a_small_integer_is_a_number(
    contract: type[Event], field: str, raw: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert refuse(contract, field, raw) <= {
        "int_type",
        "int_parsing_size",
        "json_invalid",
        "less_than_equal",
    }


@pytest.mark.parametrize("raw", ["0", "-1", "10001", "1000000000"])
@pytest.mark.parametrize(("contract", "field"), QUANTITIES)
def test_a_quantity_is_from_one_to_ten_thousand(
    contract: type[Event], field: str, raw: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert refuse(contract, field, raw) <= {"greater_than_equal", "less_than_equal"}


@pytest.mark.parametrize("raw", ["0", "-1", str(MONEY_MAX + 1)])
@pytest.mark.parametrize(("contract", "field"), AMOUNTS)
def test_money_that_moves_is_at_least_one_minor_unit(
    contract: type[Event], field: str, raw: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert refuse(contract, field, raw) <= {"greater_than_equal", "less_than_equal"}


@pytest.mark.parametrize("raw", ["-1", str(MONEY_MAX + 1)])
@pytest.mark.parametrize(("contract", "field"), PRICES)
def test_a_price_is_not_negative(
    contract: type[Event], field: str, raw: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert refuse(contract, field, raw) <= {"greater_than_equal", "less_than_equal"}


@pytest.mark.parametrize(("contract", "field"), AMOUNTS)
def test_the_largest_amount_is_exact(
    contract: type[Event], field: str, accept: Callable[[type[Event], str, str], Event]
) -> None:
    assert accept(contract, field, str(MONEY_MAX)).to_data()[field] == MONEY_MAX
    assert int(float(MONEY_MAX)) == MONEY_MAX


@pytest.mark.parametrize("text", ["", "XYZ", "XXX", "XAU", "eur", "EU", "EURO", "EUR\n", "€", "E\u0130R"])
@pytest.mark.parametrize(("contract", "field"), MONEY)
def test_an_unknown_currency_is_refused(
    contract: type[Event], field: str, text: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert refuse(contract, field, json.dumps(text)) <= {
        "currency_unknown",
        "string_pattern_mismatch",
        "string_too_short",
        "string_too_long",
    }


@pytest.mark.parametrize("code", sorted(CURRENCIES))
def test_every_currency_in_use_is_known(code: str, accept: Callable[[type[Event], str, str], Event]) -> None:
    accept(OrderPaid, "currency", json.dumps(code))


@pytest.mark.parametrize("raw", ['"true"', "1", "0", '"false"', "null"])
def test_only_a_boolean_is_a_boolean(raw: str, refuse: Callable[[type[Event], str, str], set[str]]) -> None:
    assert refuse(SendNotification, "critical", raw) == {"bool_type"}
