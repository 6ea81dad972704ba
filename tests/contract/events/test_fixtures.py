"""What was once accepted is accepted for ever. A fixture in `v1` is added, never changed and never removed.

`<TYPE>.json` has every field that the type had when it was written, `<TYPE>.least.json` only the required.
"""

import json
from pathlib import Path

import pytest
from pydantic import JsonValue

from shared.events import EVENT_TYPES, parse

FIXTURES = sorted((Path(__file__).parent / "v1").glob("*.json"))
fixtures = pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)


def type_of(path: Path) -> str:
    return path.name.split(".", maxsplit=1)[0]


def holds(now: JsonValue, then: JsonValue) -> bool:
    """Whether all that was said then is still said, in objects beside what was added since."""
    if isinstance(now, dict) and isinstance(then, dict):
        return all(key in now and holds(now[key], value) for key, value in then.items())
    if isinstance(now, list) and isinstance(then, list):
        return len(now) == len(then) and all(map(holds, now, then))
    return type(now) is type(then) and now == then


def test_every_type_has_a_fixture_and_every_fixture_a_type() -> None:
    assert {path.stem for path in FIXTURES if path.suffixes == [".json"]} == set(EVENT_TYPES)
    assert {type_of(path) for path in FIXTURES} == set(EVENT_TYPES)


def test_every_type_with_optional_fields_has_a_fixture_without_them() -> None:
    optional = {
        name
        for name, contract in EVENT_TYPES.items()
        if not all(field.is_required() for field in contract.model_fields.values())
    }

    assert optional <= {type_of(path) for path in FIXTURES if path.suffixes == [".least", ".json"]}


@fixtures
def test_a_fixture_parses_and_says_the_same(path: Path) -> None:
    event = parse(type_of(path), path.read_bytes())

    assert event.type == type_of(path)
    assert holds(event.to_data(), json.loads(path.read_bytes()))


@fixtures
def test_a_fixture_survives_the_wire(path: Path) -> None:
    event = parse(type_of(path), path.read_bytes())

    assert parse(event.type, event.to_json()) == event


@fixtures
def test_a_fixture_with_one_field_more_is_refused(path: Path) -> None:
    more = {**json.loads(path.read_bytes()), "never_a_field": 1}

    with pytest.raises(ValueError, match="extra_forbidden"):
        parse(type_of(path), json.dumps(more))
