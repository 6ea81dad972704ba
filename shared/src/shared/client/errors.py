"""Why publishing failed."""

from pydantic import BaseModel, ConfigDict, JsonValue


class Problem(BaseModel):
    """What the gateway said is wrong (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str = "about:blank"
    title: str = ""
    detail: str | None = None
    errors: tuple[JsonValue, ...] | None = None


class PublishError(Exception):
    """The event with this id was not published, as far as the client knows."""

    def __init__(self, message: str, *, id: str) -> None:  # noqa: A002 - the attribute's name in CloudEvents
        super().__init__(message)
        self.id = id


class PublishRefusedError(PublishError):
    """The gateway answered that it will not take this event; the same again is refused again.

    `type` names the problem for programs, `errors` says which fields are wrong, where any are.
    """

    def __init__(self, problem: Problem, *, id: str, status: int) -> None:  # noqa: A002 the envelope's word
        super().__init__(": ".join(filter(None, (f"{status} {problem.title}", problem.detail))), id=id)
        self.status = status
        self.type = problem.type
        self.title = problem.title
        self.detail = problem.detail
        self.errors = problem.errors or ()


class GatewayUnavailableError(PublishError):
    """No answer that settles it came in time. The event may have been accepted all the same.

    Publishing it again with the same `id` publishes it once. `status` is that of the last answer, None
    where there was none.
    """

    def __init__(self, message: str, *, id: str, status: int | None = None) -> None:  # noqa: A002 the envelope's word
        super().__init__(message, id=id)
        self.status = status
