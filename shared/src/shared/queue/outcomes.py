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


class RetryLaterError(HandlingError):
    """It may work later (a provider is down): tried again, counted as a failed attempt.

    `after` overrides the queue's backoff.
    """

    def __init__(self, reason: str, message: str = "", *, after: timedelta | None = None) -> None:
        super().__init__(reason, message)
        self.after = after


class GiveUpError(HandlingError):
    """It can never work: dead at once."""


class PostponeError(HandlingError):
    """It is too early (the order is not there yet): tried again soon, no attempt burnt.

    After five minutes of it the event is dead with the same reason.
    """
