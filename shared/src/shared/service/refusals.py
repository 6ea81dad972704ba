"""Which fields were refused and why, without a value or an unknown name of what came in."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, cast

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

Loc = tuple[int | str, ...]


class Refusal(BaseModel):
    """One field that was refused: where it stands, the rule's name, the rule in words."""

    loc: list[int | str]
    type: str
    msg: str


def refusals_of(error: ValidationError, model: type[BaseModel], *, at: Loc = ()) -> list[Refusal]:
    """The refusals of a model's validation; `at` is where the model stands in the request."""
    known = _names_of(model)
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return _refusals(details, at, known.__contains__)


def refusals_of_request(error: RequestValidationError) -> list[Refusal]:
    """The refusals of parameters: their names come from the route, except where one is unknown."""
    details = cast("Iterable[Mapping[str, Any]]", error.errors())
    return _refusals(details, (), lambda _name: True)


def _refusals(
    details: Iterable[Mapping[str, Any]], at: Loc, is_known: Callable[[str], bool]
) -> list[Refusal]:
    refusals: list[Refusal] = []
    for detail in details:
        rule, loc = str(detail["type"]), cast("Loc", detail["loc"])
        if rule == "extra_forbidden":
            loc = loc[:-1]
        kept = [part for part in loc if isinstance(part, int) or is_known(part)]
        message = _OWN_WORDS.get(rule) or str(detail["msg"])
        refusals.append(Refusal(loc=[*at, *kept], type=rule, msg=message))
        if len(refusals) == _MOST:
            break
    return refusals


_MOST = 20
"""An answer names so many refusals; a body of 256 KiB could hold thousands."""

_OWN_WORDS = {
    # pydantic's own words for these tell a part of the input
    "extra_forbidden": "An unknown field is not allowed",
    "union_tag_invalid": "Its kind is not one of those allowed",
    "json_invalid": "It is no JSON text",
}


@cache
def _names_of(model: type[BaseModel]) -> frozenset[str]:
    """Each field name that the model or a model inside it declares."""
    names: set[str] = set()
    schema = model.model_json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        names.update(part.get("properties", {}))
    return frozenset(names)
