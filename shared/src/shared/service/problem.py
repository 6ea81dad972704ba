"""What went wrong, told to a client as RFC 9457 problem+json. Nothing that came in is ever told back."""

from collections.abc import Mapping, Sequence
from enum import Enum

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from shared.service.refusals import Refusal, refusals_of_request


class Kind(Enum):
    """Every problem that a service reports: its stable name, its status, its title."""

    NOT_JSON = ("not-json", 400, "The body is no JSON text")
    BAD_HOST = ("bad-host", 400, "The Host header names no host of this service")
    BAD_IDEMPOTENCY_KEY = ("bad-idempotency-key", 400, "The Idempotency-Key header cannot be used")
    BAD_REQUEST = ("bad-request", 400, "The request cannot be understood")
    UNAUTHENTICATED = ("unauthenticated", 401, "A valid API key is needed")
    FORBIDDEN = ("forbidden", 403, "The API key does not allow this")
    NOT_FOUND = ("not-found", 404, "There is nothing here")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "This method is not offered here")
    CONFLICT = ("conflict", 409, "The state of things does not allow this")
    ID_CONFLICT = ("id-conflict", 409, "This id belongs to another event")
    KEY_IN_USE = ("key-in-use", 409, "A request with this Idempotency-Key is still under way")
    TOO_LARGE = ("too-large", 413, "The body is too large")
    UNSUPPORTED_MEDIA_TYPE = (
        "unsupported-media-type",
        415,
        "The body has to be plain application/json in UTF-8",
    )
    INVALID = ("invalid", 422, "The request is not valid")
    KEY_REUSED = ("key-reused", 422, "This Idempotency-Key was used with another body")
    FAULT = ("fault", 500, "The service failed")
    UNAVAILABLE = ("unavailable", 503, "The service cannot do this at the moment")

    def __init__(self, slug: str, status: int, title: str) -> None:
        self.type = f"urn:shop-queue:problem:{slug}"
        self.status = status
        self.title = title


class ProblemBody(BaseModel):
    """A problem as a client reads it; `errors` names the known fields that were refused, and why."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[Refusal] | None = None

    def response(self, headers: Mapping[str, str] | None = None) -> JSONResponse:
        content = self.model_dump(exclude_none=True)
        return JSONResponse(content, self.status, headers, media_type="application/problem+json")


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """Raised anywhere below a route; answered as problem+json. `detail` must hold nothing that came in."""

    def __init__(
        self,
        kind: Kind,
        detail: str | None = None,
        *,
        errors: Sequence[Refusal] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or kind.title)
        self.kind = kind
        self.headers = dict(headers or {})
        self.body = ProblemBody(
            type=kind.type,
            title=kind.title,
            status=kind.status,
            detail=detail,
            errors=list(errors) if errors else None,
        )

    def response(self) -> JSONResponse:
        return self.body.response(self.headers)


def unavailable(detail: str, *, retry_after: int = 2) -> Problem:
    """503, with the seconds after which asking again makes sense."""
    return Problem(Kind.UNAVAILABLE, detail, headers={"Retry-After": str(retry_after)})


def answer_with_problems(app: FastAPI) -> None:
    """Every error of the application is answered as problem+json: its own, the router's, a failed check."""

    async def own(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)  # noqa: S101 - registered for nothing else
        return error.response()

    async def refused(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
        return Problem(Kind.INVALID, errors=refusals_of_request(error)).response()

    async def routed(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
        kind = _BY_STATUS.get(error.status_code, Kind.BAD_REQUEST)
        return Problem(kind, headers=error.headers).response()

    async def failed(_request: Request, _error: Exception) -> JSONResponse:
        return Problem(Kind.FAULT).response()

    app.add_exception_handler(Problem, own)
    app.add_exception_handler(RequestValidationError, refused)
    app.add_exception_handler(HTTPException, routed)
    app.add_exception_handler(Exception, failed)


_BY_STATUS = {kind.status: kind for kind in reversed(Kind)}
