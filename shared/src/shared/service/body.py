"""Bodies from outside: plain JSON of bounded size, read by ourselves.

FastAPI's own reading answers 500 to a lone surrogate or NaN, and takes NUL, UTF-16, duplicate keys and
`true` for an int.
"""

from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from shared.service import strict_json
from shared.service.problem import Kind, Problem
from shared.service.refusals import Loc, Refusal, refusals_of

KIB = 1024
BODY_LIMIT = 256 * KIB

Model = TypeVar("Model", bound=BaseModel)


async def read_body(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """The raw bytes of a JSON body, counted while they come in: at most `limit` of them are kept.

    Raises:
        Problem: 413, or 415 if it is compressed or not application/json in UTF-8.
    """
    _check_media_type(request)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < _LONG and int(declared) > limit:
        raise Problem(Kind.TOO_LARGE, f"at most {limit} bytes are taken")
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > limit:
                raise Problem(Kind.TOO_LARGE, f"at most {limit} bytes are taken")
    except ClientDisconnect:
        raise Problem(Kind.BAD_REQUEST, "the body ended early") from None
    return bytes(received)


def parse_json(raw: bytes) -> Any:
    """The JSON value of a body; each part that is used has to go through `check_json`.

    Raises:
        Problem: 400 if it is no JSON text, 422 if it is nested too deeply to be read.
    """
    try:
        return strict_json.read(raw)
    except strict_json.NotJsonError:
        raise Problem(Kind.NOT_JSON) from None
    except strict_json.StrictJsonError as error:
        raise Problem(Kind.INVALID, str(error)) from None


def check_json(value: Any) -> None:
    """Returns if the value is strict JSON (see `strict_json`).

    Raises:
        Problem: 422 otherwise.
    """
    try:
        strict_json.check(value)
    except strict_json.StrictJsonError as error:
        raise Problem(Kind.INVALID, str(error)) from None


def validated(model: type[Model], text: str | bytes, *, at: Loc = ()) -> Model:
    """The JSON text as a model; `at` is where it stands in the body.

    Raises:
        Problem: 422 with the fields that were refused.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise Problem(Kind.INVALID, errors=refusals_of(error, model, at=at)) from None


async def read_model(request: Request, model: type[Model]) -> Model:
    """The body as a model: `read_body`, `parse_json`, `check_json` and `validated` in one."""
    value = parse_json(await read_body(request))
    check_json(value)
    if not isinstance(value, dict):
        raise not_an_object()
    return validated(model, strict_json.write(value))


def not_an_object(*, at: Loc = ()) -> Problem:
    rule = Refusal(loc=list(at), type="object_type", msg="It has to be an object")
    return Problem(Kind.INVALID, errors=[rule])


_LONG = 19


def _check_media_type(request: Request) -> None:
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(Kind.UNSUPPORTED_MEDIA_TYPE, "a compressed body is not taken")
    media_type, *parameters = request.headers.get("content-type", "").lower().split(";")
    charsets = [
        text.partition("=")[2].strip(' "') for text in parameters if text.strip().startswith("charset")
    ]
    if media_type.strip() != "application/json" or any(
        charset not in {"utf-8", "utf8"} for charset in charsets
    ):
        raise Problem(Kind.UNSUPPORTED_MEDIA_TYPE)
