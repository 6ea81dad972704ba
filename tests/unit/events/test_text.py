import json
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue, TypeAdapter, ValidationError

from shared.events import (
    Event,
    InventoryReleased,
    InventoryReserved,
    LowStockAlert,
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    OrderShipped,
    PaymentAuthorized,
    PaymentRefunded,
    SendEmail,
    SendNotification,
)
from shared.events.text import Label, Prose

LINES = [
    (OrderCreated, "customer.name"),
    (OrderShipped, "carrier"),
    (OrderShipped, "tracking_number"),
    (OrderCancelled, "reason"),
    (PaymentRefunded, "reason"),
    (InventoryReleased, "reason"),
    (SendEmail, "subject"),
]
PROSE = [(SendEmail, "text"), (SendEmail, "html")]
IDENTIFIERS = [
    (OrderCreated, "order_id"),
    (OrderCreated, "customer.id"),
    (OrderCreated, "lines.0.sku"),
    (OrderPaid, "payment_id"),
    (PaymentAuthorized, "payment_id"),
    (PaymentAuthorized, "method"),
    (PaymentRefunded, "refund_id"),
    (InventoryReserved, "lines.1.sku"),
    (LowStockAlert, "sku"),
    (SendNotification, "recipient.user_id"),
    (SendNotification, "template"),
]
HIDDEN = {
    "NUL": "a\x00b",
    "escape code": "\x1b[31mred",
    "backspace": "a\x08",
    "vertical tab": "a\x0bb",
    "form feed": "a\x0cb",
    "DEL": "a\x7fb",
    "C1 control": "a\x9bb",
    "next line": "a\x85b",
    "right-to-left override": "invoice\u202egpj.exe",
    "left-to-right isolate": "a\u2066b",
    "right-to-left mark": "a\u200fb",
    "Arabic letter mark": "a\u061cb",
}
BREAKS = {
    "line feed": "a\nb",
    "carriage return": "a\rb",
    "line feed at the end": "a\n",
    "tab": "a\tb",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
}
LITERAL = [
    "{{7*7}}",
    "{% raw %}",
    "<script>alert(1)</script>",
    "=HYPERLINK('http://example.com')",
    "\\u001b[31m",
    "'; DROP TABLE orders; --",
    "Łukasz Żółć",
    "山田 太郎",
    "مريم",
    "👩\u200d👧",
    " a ",
]
NOT_TEXT = {"number": "1", "boolean": "true", "list": '["a"]', "object": '{"a": 1}', "null": "null"}

label = TypeAdapter[str](Label)
prose = TypeAdapter[str](Prose)


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize(("contract", "field"), LINES + PROSE + IDENTIFIERS)
def test_no_text_holds_characters_that_hide_or_reorder(
    contract: type[Event], field: str, text: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert "string_pattern_mismatch" in refuse(contract, field, json.dumps(text))


@pytest.mark.parametrize("text", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize(("contract", "field"), LINES + IDENTIFIERS)
def test_a_line_has_no_breaks(
    contract: type[Event], field: str, text: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert "string_pattern_mismatch" in refuse(contract, field, json.dumps(text))


@pytest.mark.parametrize("raw", [r'"\ud800"', r'"a\udfffb"', r'"\ud83dx"', r'"\ude00\ud83d"'])
@pytest.mark.parametrize(("contract", "field"), LINES + PROSE + IDENTIFIERS)
def test_half_a_surrogate_pair_is_no_text(
    contract: type[Event], field: str, raw: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert refuse(contract, field, raw) == {"json_invalid"}


@pytest.mark.parametrize("raw", NOT_TEXT.values(), ids=NOT_TEXT)
@pytest.mark.parametrize(("contract", "field"), [LINES[0], IDENTIFIERS[0], IDENTIFIERS[2]])
def test_only_text_is_text(
    contract: type[Event], field: str, raw: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert refuse(contract, field, raw) == {"string_type"}


@pytest.mark.parametrize("text", ["", " ", "\u3000", "\u00a0 "])
@pytest.mark.parametrize(("contract", "field"), LINES + PROSE)
def test_no_text_is_blank(
    contract: type[Event], field: str, text: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert refuse(contract, field, json.dumps(text)) <= {"string_pattern_mismatch", "string_too_short"}


@pytest.mark.parametrize(
    ("contract", "field", "longest"),
    [
        (OrderCreated, "customer.name", 200),
        (OrderCancelled, "reason", 500),
        (OrderCreated, "order_id", 64),
        (OrderCreated, "lines.0.sku", 64),
        (PaymentAuthorized, "method", 255),
        (SendNotification, "template", 100),
        (SendEmail, "subject", 200),
        (SendEmail, "text", 200_000),
        (SendEmail, "html", 200_000),
    ],
)
def test_each_text_has_a_length(
    contract: type[Event],
    field: str,
    longest: int,
    accept: Callable[[type[Event], str, str], Event],
    refuse: Callable[[type[Event], str, str], set[str]],
) -> None:
    accept(contract, field, json.dumps("a" * longest))
    assert "string_too_long" in refuse(contract, field, json.dumps("a" * (longest + 1)))


@pytest.mark.parametrize("text", LITERAL)
@pytest.mark.parametrize(("contract", "field"), LINES + PROSE)
def test_code_in_a_text_stays_as_it_is(
    contract: type[Event], field: str, text: str, accept: Callable[[type[Event], str, str], Event]
) -> None:
    value: JsonValue = accept(contract, field, json.dumps(text)).to_data()
    for step in field.split("."):
        assert isinstance(value, dict)
        value = value[step]

    assert value == text


@pytest.mark.parametrize(("contract", "field"), PROSE)
def test_a_message_may_have_lines(
    contract: type[Event], field: str, accept: Callable[[type[Event], str, str], Event]
) -> None:
    text = "\n\tDear Ada,\r\nthank you.\n"

    assert accept(contract, field, json.dumps(text)).to_data()[field] == text


@pytest.mark.parametrize(
    "text", ["1042", "ord_1", "A-1.b:c", "018f2f6c-9a3b-7cc1-8b1e-0242ac120002", "_x", "9"]
)
@pytest.mark.parametrize(("contract", "field"), IDENTIFIERS[:3])
def test_an_identifier_is_made_of_letters_digits_and_few_signs(
    contract: type[Event], field: str, text: str, accept: Callable[[type[Event], str, str], Event]
) -> None:
    accept(contract, field, json.dumps(text))


@pytest.mark.parametrize(
    "text", ["", ".", "..", "-rf", ":a", "a b", "a/b", "../a", "a%2fb", "a?b", "a#b", "ä", "<b>", "a\n"]
)
@pytest.mark.parametrize(("contract", "field"), IDENTIFIERS[:3])
def test_an_identifier_fits_into_a_path_as_it_is(
    contract: type[Event], field: str, text: str, refuse: Callable[[type[Event], str, str], set[str]]
) -> None:
    assert refuse(contract, field, json.dumps(text)) <= {"string_pattern_mismatch", "string_too_short"}


@given(st.text(max_size=30))
@example("a\u0085b")
@example("a\u2029")
@example("\ud800")
def test_what_is_accepted_as_a_line_can_be_shown_and_encoded(text: str) -> None:
    try:
        label.validate_python(text, strict=True)
    except ValidationError:
        return
    assert text.strip()
    assert not {unicodedata.category(char) for char in text} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(text) & set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S")), min_size=1, max_size=60))
def test_letters_numbers_and_signs_of_any_script_are_text(text: str) -> None:
    assert label.validate_python(text, strict=True) == text
    assert prose.validate_python(text, strict=True) == text
