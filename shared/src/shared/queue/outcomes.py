"""How a handler says that its work did not complete; returning says that it did.

Any other exception is a bug: it is retried like `RetryLater`, counted, and dead with its traceback
when the attempts are used up. Errors of Redis or the database are neither: they burn no attempt.
"""

from datetime import timedelta


class HandlingError(Exception):
    """A named outcome. `reason` is a short word for statistics and filters, such as `out_of_stock`."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason


def reason_of(error: Exception) -> str:
    """The word that it goes by where reasons are kept: its own, or for a bug the name of its type."""
    return error.reason if isinstance(error, HandlingError) else type(error).__name__


class RetryLaterError(HandlingError):
    """It may work later (a provider is down): tried again, counted as a failed attempt.

    `after` overrides the queue's backoff.
    """

    def __init__(self, reason: str, message: str = "", *, after: timedelta | None = None) -> None:
        super().__init__(reason, message)
        self.after = after


class GiveUpError(HandlingError):
    """It can never work: dead at once."""


class ExpiredError(HandlingError):
    """Its time has passed before anything was begun: it ends as expired.

    Raised by a handler with an effect outside of the database (`Steps.is_expired`): only it knows whether
    something was begun, which then has to be brought to its end. Of any other the runtime takes care.
    """

    def __init__(self) -> None:
        super().__init__("expired")


class PostponeError(HandlingError):
    """It is too early (the order is not there yet, the mail server is away): no attempt is burnt.

    It is tried again, soon at first, then less and less often. After `at_most` of waiting for this reason,
    five minutes unless the queue's policy or this says otherwise, the event is dead with it.
    """

    def __init__(self, reason: str, message: str = "", *, at_most: timedelta | None = None) -> None:
        super().__init__(reason, message)
        self.at_most = at_most
