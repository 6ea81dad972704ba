import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from shared.events import EXAMPLES, Event, parse


def _with(contract: type[Event], path: str, raw: str) -> str:
    """The example of a contract as JSON text, with this raw JSON at a dotted path such as `lines.0.sku`."""
    data: Any = EXAMPLES[contract].to_data()
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    node = data
    for step in parents:
        node = node[step]
    node[last] = "@here@"
    return json.dumps(data).replace('"@here@"', raw)


@pytest.fixture
def accept() -> Callable[[type[Event], str, str], Event]:
    """Parses the example of a contract with another value at one path."""
    return lambda contract, path, raw: parse(contract.type, _with(contract, path, raw))


@pytest.fixture
def refuse() -> Callable[[type[Event], str, str], set[str]]:
    """The kinds of errors that the example of a contract has with another value at one path."""

    def errors(contract: type[Event], path: str, raw: str) -> set[str]:
        with pytest.raises(ValidationError) as caught:
            parse(contract.type, _with(contract, path, raw))
        return {error["type"] for error in caught.value.errors()}

    return errors
