"""What a template is filled with: a JSON object of bounded depth, breadth and size."""

import json
import math
import re
from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import AfterValidator, Field, JsonValue
from pydantic_core import PydanticCustomError

from shared.events.text import BIDI, BREAKS, CONTROLS

DEPTH_MAX: Final = 8
VALUES_MAX: Final = 10_000
BYTES_MAX: Final = 100_000
"""Of the JSON in UTF-8. Every order fits that a contract allows, as its confirmation lists the lines."""
INTEGER_MAX: Final = 2**63 - 1

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
# Halves of surrogate pairs have no encoding. JSON text can't bring them in, a Python value can.
_NOT_IN_TEXT: Final = re.compile(rf"[{CONTROLS}{BIDI}\ud800-\udfff]")
_NOT_IN_KEYS: Final = re.compile(rf"[{CONTROLS}{BREAKS}{BIDI}\ud800-\udfff]")
_KEY_MAX: Final = 64


def _each(value: JsonValue, depth: int = 0) -> Iterator[JsonValue]:
    """The value and all that is in it; what is in an object comes after its keys were checked."""
    if depth > DEPTH_MAX:
        raise PydanticCustomError("variables_depth", "The variables are nested too deeply")
    yield value
    inner: Iterator[JsonValue] = iter(())
    if isinstance(value, dict):
        if any(len(key) > _KEY_MAX or _NOT_IN_KEYS.search(key) for key in value):
            raise PydanticCustomError("variables_key", "A key is too long or holds a character not allowed")
        inner = iter(value.values())
    elif isinstance(value, list):
        inner = iter(value)
    for part in inner:
        yield from _each(part, depth + 1)


def _check(value: JsonValue) -> None:
    match value:
        case str() if _NOT_IN_TEXT.search(value):
            raise PydanticCustomError("variables_text", "A text holds a character that is not allowed")
        case float() if not math.isfinite(value):
            raise PydanticCustomError("variables_number", "A number is not finite")
        case int() if not -INTEGER_MAX <= value <= INTEGER_MAX:
            raise PydanticCustomError("variables_number", "An integer does not fit into 64 bits")
        case _:
            pass


def _bounded(variables: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if not all(_NAME.fullmatch(name) for name in variables):
        raise PydanticCustomError("variables_name", "The name of a variable is no identifier")
    for count, value in enumerate(_each(variables)):
        if count > VALUES_MAX:
            raise PydanticCustomError("variables_count", "The variables hold too many values")
        _check(value)
    if len(json.dumps(variables, ensure_ascii=False, separators=(",", ":")).encode()) > BYTES_MAX:
        raise PydanticCustomError("variables_size", "The variables are too large")
    return variables


Variables = Annotated[
    dict[str, JsonValue],
    Field(
        description=(
            "any JSON by names of letters, digits and `_`; "
            f"at most {DEPTH_MAX} levels, {VALUES_MAX:,} values, {BYTES_MAX:,} bytes"
        ),
    ),
    AfterValidator(_bounded),
]
"""The variables of a template by name."""
