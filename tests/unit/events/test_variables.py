import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from shared.events import BatchNotification, Event, Recipient, SendNotification, parse

Refuse = Callable[[type[Event], str, str], set[str]]
Accept = Callable[[type[Event], str, str], Event]
BOTH = pytest.mark.parametrize("contract", [SendNotification, BatchNotification])
FAR = 2**63 - 1


def nested(depth: int) -> str:
    return '{"a": ' + "[" * depth + "]" * depth + "}"


BAD = {
    "no object": ("[]", "dict_type"),
    "text": ('"a"', "dict_type"),
    "null": ("null", "dict_type"),
    "nine levels": (nested(9), "variables_depth"),
    "ten thousand levels": (nested(10_000), "json_invalid"),
    "100,000 keys": (json.dumps({f"k{number}": 0 for number in range(100_000)}), "variables_count"),
    "10,001 values": (json.dumps({"list": [0] * 10_000}), "variables_count"),
    "larger than 100,000 bytes": (json.dumps({"text": "a" * 100_000}), "variables_size"),
    "large by its bytes": (json.dumps({"text": "€" * 34_000}), "variables_size"),
    "NaN": ('{"a": NaN}', "variables_number"),
    "infinite": ('{"a": [1e999]}', "variables_number"),
    "integer beyond 64 bits": (json.dumps({"a": FAR + 1}), "variables_number"),
    "negative beyond 64 bits": (json.dumps({"a": -FAR - 1}), "variables_number"),
    "NUL": (r'{"a": "\u0000"}', "variables_text"),
    "escape code": (r'{"a": {"b": ["\u001b[31m"]}}', "variables_text"),
    "bidi": (r'{"a": "\u202e"}', "variables_text"),
    "lone surrogate": (r'{"a": "\ud800"}', "json_invalid"),
    "name with a space": ('{"a b": 1}', "variables_name"),
    "empty name": ('{"": 1}', "variables_name"),
    "name with underscores in front": ('{"__class__": 1}', "variables_name"),
    "name with a dot": ('{"a.b": 1}', "variables_name"),
    "long name": (json.dumps({"a" * 65: 1}), "variables_name"),
    "long key inside": (json.dumps({"a": {"b" * 65: 1}}), "variables_key"),
    "line break in a key inside": (r'{"a": {"b\n": 1}}', "variables_key"),
    "NUL in a key inside": (r'{"a": [{"\u0000": 1}]}', "variables_key"),
}


@BOTH
@pytest.mark.parametrize(("raw", "error"), BAD.values(), ids=BAD)
def test_variables_are_bounded(contract: type[Event], raw: str, error: str, refuse: Refuse) -> None:
    assert refuse(contract, "variables", raw) == {error}


@BOTH
@pytest.mark.parametrize(
    "raw",
    [
        "{}",
        nested(8),
        json.dumps({"list": [0] * 9_998}),
        json.dumps({"text": "a" * 99_989}),
        json.dumps({"low": -FAR, "high": FAR, "rate": 0.19, "none": None, "yes": True}),
        json.dumps({"text": "two\nlines", "code": "{{7*7}} <script>", "prices": {"MUG-1 (blue)": 12}}),
    ],
)
def test_variables_within_the_bounds_stay_as_they_are(
    contract: type[Event], raw: str, accept: Accept
) -> None:
    assert json.loads(accept(contract, "variables", raw).to_json())["variables"] == json.loads(raw)


def test_the_widest_order_fits_into_its_confirmation() -> None:
    lines: list[JsonValue] = [
        {"sku": f"{number:064}", "quantity": 10_000, "unit_price": 10**12} for number in range(500)
    ]
    SendNotification(
        recipient=Recipient(email="ada@example.com"),
        template="order-confirmation",
        variables={
            "name": "山" * 200,
            "order_id": "1" * 64,
            "lines": lines,
            "total": 10**12,
            "currency": "EUR",
        },
    )


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_half_a_surrogate_pair_is_refused_from_python_too(text: str) -> None:
    places: list[dict[str, JsonValue]] = [{"a": text}, {"a": {text: 1}}, {"a": [[text]]}]
    for variables in places:
        with pytest.raises(ValidationError):
            SendNotification(recipient=Recipient(user_id="u"), template="t", variables=variables)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-FAR, FAR)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(categories=("L", "N", "P", "S")), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(categories=("L", "N")), max_size=10), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True), json_values, max_size=5))
def test_what_was_accepted_comes_back_the_same(variables: dict[str, JsonValue]) -> None:
    try:
        event = SendNotification(recipient=Recipient(user_id="u"), template="t", variables=variables)
    except ValidationError:
        return
    assert parse("send-notification", event.to_json()) == event
    assert json.loads(event.to_json())["variables"] == variables
