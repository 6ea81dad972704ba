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
    """It can never work: dead at once.

    `uncertain` says that an effect outside of the database may have happened, or twice.
    """

    def __init__(self, reason: str, message: str = "", *, uncertain: bool = False) -> None:
        super().__init__(reason, message)
        self.uncertain = uncertain


class PostponeError(HandlingError):
    """It is too early (the order is not there yet, the mail server is away): no attempt is burnt.

    It is tried again, soon at first, then less and less often. After `at_most` of it, five minutes
    unless the queue's policy or this says otherwise, the event is dead with the same reason.
    """

    def __init__(self, reason: str, message: str = "", *, at_most: timedelta | None = None) -> None:
        super().__init__(reason, message)
        self.at_most = at_most
