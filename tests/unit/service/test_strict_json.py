import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.service.strict_json import (
    DEPTH,
    KEYS,
    NotJsonError,
    StrictJsonError,
    canonical,
    check,
    read,
    write,
)

_plain_text = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]))
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _plain_text,
    lambda inner: st.lists(inner) | st.dictionaries(_plain_text, inner),
    max_leaves=20,
)


@given(_values)
def test_plain_json_is_read_as_it_is(value: object) -> None:
    read_value = read(json.dumps(value).encode())

    check(read_value)
    assert read_value == value
    assert json.loads(write(read_value)) == value


@given(st.binary())
def test_no_bytes_raise_anything_but_the_two_errors(raw: bytes) -> None:
    with suppress(NotJsonError, StrictJsonError):
        check(read(raw))


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"{}x", b"\xff", b"\xef\xbb\xbf{}", '"é"'.encode("latin-1"), b"'a'"]
)
def test_what_is_no_json_text_is_no_json(raw: bytes) -> None:
    with pytest.raises(NotJsonError):
        read(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b"NaN",
        b"[Infinity]",
        b"1e999",
        b"9223372036854775808",
        b"-9223372036854775809",
        b"1" * 5000,
        b'"\\ud800"',
        b'"\\u0000"',
        b'"\\u007f"',
        '"\u202e"'.encode(),
        '"\u200f"'.encode(),
        b'{"\\u0000":1}',
        b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1),
        b'{"a":' * (DEPTH + 1) + b"1" + b"}" * (DEPTH + 1),
        b"[" * DEPTH + b"NaN" + b"]" * DEPTH,
        b"[" * 200_000 + b"]" * 200_000,
        json.dumps({str(n): n for n in range(KEYS + 1)}).encode(),
    ],
)
def test_what_two_readers_may_understand_differently_is_refused(raw: bytes) -> None:
    with pytest.raises(StrictJsonError):
        check(read(raw))


@pytest.mark.parametrize(
    "raw",
    [
        b"9223372036854775807",
        b'"tab\\tand\\r\\nbreak"',
        '"\U0001f600 \\ud83d\\ude00"'.encode(),
        b"[" * DEPTH + b"1" + b"]" * DEPTH,
    ],
)
def test_what_is_at_the_limit_is_taken(raw: bytes) -> None:
    check(read(raw))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1,"b":2}', b'{ "b" : 2, "a" : 1 }'),
        (b'"\\u0041"', b'"A"'),
        (b"1.0", b"1"),
        (b"1e2", b"100"),
    ],
)
def test_two_spellings_of_a_value_have_one_canonical_text(one: bytes, other: bytes) -> None:
    assert canonical(read(one)) == canonical(read(other))


@pytest.mark.parametrize(
    ("one", "other"), [(b"1", b"true"), (b"0", b"null"), (b'"1"', b"1"), (b"[1,2]", b"[2,1]"), (b"{}", b"[]")]
)
def test_two_values_have_two_canonical_texts(one: bytes, other: bytes) -> None:
    assert canonical(read(one)) != canonical(read(other))


@pytest.mark.parametrize("raw", [b"NaN", b'"\\ud800"', b"[" * 900 + b"]" * 900, b'{"a":1,"a":2}'])
def test_what_is_refused_has_a_canonical_text_as_well(raw: bytes) -> None:
    assert canonical(read(raw)).isascii()
