"""What OpenAPI cannot find out by itself: bodies that we read on our own, and problems."""

from typing import Any, cast

from pydantic import BaseModel

from shared.service.problem import Kind, ProblemBody

Schema = dict[str, Any]


def json_body(model: type[BaseModel], *, many: int | None = None) -> Schema:
    """The `openapi_extra` of a route whose body is this model, or an array of at most `many` of it."""
    schema = inline_schema(model)
    if many is not None:
        schema = {"type": "array", "minItems": 1, "maxItems": many, "items": schema}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def problems(*kinds: Kind) -> dict[int | str, Schema]:
    """The `responses` of a route that can meet these problems."""
    titles: dict[int, list[str]] = {}
    for kind in kinds:
        titles.setdefault(kind.status, []).append(kind.title)
    content = {"application/problem+json": {"schema": inline_schema(ProblemBody)}}
    return {
        status: {"description": " · ".join(texts), "content": content} for status, texts in titles.items()
    }


def inline_schema(model: type[BaseModel]) -> Schema:
    """The model's JSON Schema with its definitions in place; it must not contain itself."""
    schema = model.model_json_schema()
    definitions = cast("dict[str, Any]", schema.pop("$defs", {}))
    return _resolved(schema, definitions)


def _resolved(part: Any, definitions: dict[str, Any]) -> Any:
    match part:
        case {"$ref": str(reference), **others}:
            target = definitions[reference.removeprefix("#/$defs/")]
            return {**_resolved(target, definitions), **_resolved(others, definitions)}
        case dict():
            return {key: _resolved(value, definitions) for key, value in cast("Schema", part).items()}
        case list():
            return [_resolved(value, definitions) for value in cast("list[Any]", part)]
        case _:
            return part
