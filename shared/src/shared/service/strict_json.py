"""JSON as we take it from outside: everything that two readers could understand differently is refused.

Python's own reader takes duplicate keys (the last wins), NaN, numbers of any size and lone surrogates; each
of these is refused here, and so are characters that have no place in a text: NUL, control characters but
tab and line breaks, and the twelve that Unicode calls Bidi_Control.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

DEPTH = 32
KEYS = 10_000
_INT64 = range(-(2**63), 2**63)
_INT64_DIGITS = 20
_REFUSED_TEXT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class NotJsonError(ValueError):
    """The bytes are no JSON text in UTF-8."""


class StrictJsonError(ValueError):
    """JSON, but not as we take it; the message says why and holds nothing of the input."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """Stands in the read value where something must be refused, so that `check` finds it in its place."""

    why: str


def read(raw: bytes) -> Any:
    """The value of a JSON text, to be passed to `check`.

    Raises:
        NotJsonError: not UTF-8, no JSON, or something after it.
        StrictJsonError: nested deeper than Python reads.
    """
    try:
        return json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_int=_int,
            parse_float=_float,
            parse_constant=lambda _name: _Refused("NaN and Infinity are not allowed"),
        )
    except RecursionError:
        raise StrictJsonError(_TOO_DEEP) from None
    except ValueError:
        raise NotJsonError("the body is no JSON text in UTF-8") from None


def check(value: Any) -> None:
    """Returns if the value may be taken.

    Raises:
        StrictJsonError: otherwise.
    """
    keys = 0
    level: list[Any] = [value]
    for _ in range(DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                members = cast("dict[str, Any]", item)
                keys += len(members)
                _check_keys(members, keys)
                below.extend(members.values())
            elif isinstance(item, list):
                below.extend(cast("list[Any]", item))
            else:
                _check_scalar(item)
        if not below:
            return
        level = below
    for item in level:
        if isinstance(item, dict | list):
            raise StrictJsonError(_TOO_DEEP)
        _check_scalar(item)


def write(value: Any) -> str:
    """The value as compact JSON text, its keys in the order in which they came."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def canonical(value: Any) -> str:
    """One text for all spellings of a value, checked or not: keys sorted, 1.0 as 1, in ASCII."""
    return json.dumps(_whole(value, 0), separators=(",", ":"), sort_keys=True)


_NO_TEXT = "control characters, bidi controls and lone surrogates are not allowed in a text"
_TOO_DEEP = f"nesting deeper than {DEPTH} is not allowed"


def _check_keys(keys: Iterable[str], so_far: int) -> None:
    if so_far > KEYS:
        raise StrictJsonError(f"more than {KEYS} keys are not allowed")
    for key in keys:
        _check_scalar(key)


def _check_scalar(value: Any) -> None:
    if isinstance(value, str) and _REFUSED_TEXT.search(value):
        raise StrictJsonError(_NO_TEXT)
    if isinstance(value, _Refused):
        raise StrictJsonError(value.why)


def _object(pairs: list[tuple[str, Any]]) -> Any:
    members = dict(pairs)
    return members if len(members) == len(pairs) else _Refused("a key may stand only once in an object")


def _int(digits: str) -> Any:
    if len(digits) <= _INT64_DIGITS and (number := int(digits)) in _INT64:
        return number
    return _Refused("integers beyond 64 bits are not allowed")


def _float(digits: str) -> Any:
    number = float(digits)
    return number if math.isfinite(number) else _Refused("numbers beyond a double are not allowed")


def _whole(value: Any, depth: int) -> Any:
    match value:
        case dict() | list() if depth > DEPTH:
            return _TOO_DEEP
        case dict():
            return {key: _whole(item, depth + 1) for key, item in cast("dict[str, Any]", value).items()}
        case list():
            return [_whole(item, depth + 1) for item in cast("list[Any]", value)]
        case float() if value.is_integer():
            return int(value)
        case _Refused():
            return value.why
        case _:
            return value
