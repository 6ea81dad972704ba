"""When to try again, and after how long."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import random
from typing import Final

RETRIED: Final = frozenset({429, 502, 503, 504})
"""Answers that ask for another try; any other settles the matter."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Full jitter: before try n + 1 a random part of `first * 2**n`, of at most `longest`.

    What the server asks for in Retry-After is waited for as well, so that nobody comes early and not
    everybody comes at once. All tries and waits of one call together end within `deadline`.
    """

    first: timedelta = timedelta(milliseconds=100)
    longest: timedelta = timedelta(seconds=5)
    deadline: timedelta = timedelta(seconds=30)
    random: Callable[[], float] = random
    """From 0 up to, not including, 1."""

    def wait(self, tries: int, retry_after: timedelta | None = None) -> timedelta:
        """The pause after this many tries, from 1."""
        # The exponent is bounded because a timedelta is; `longest` is reached long before.
        ceiling = min(self.longest, self.first * 2 ** min(tries - 1, 20))
        return ceiling * self.random() + (retry_after or timedelta())


def retry_after(header: str | None, now: datetime | None = None) -> timedelta | None:
    """The pause in a Retry-After header (RFC 9110, 10.2.3), in seconds or as a date; None for nonsense."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return timedelta(seconds=int(header[:9]))  # nine digits are past every deadline
    try:
        due = parsedate_to_datetime(header)
    except ValueError:
        return None
    if due.tzinfo is None:  # "-0000", which RFC 5322 reads as UTC of an unknown place
        due = due.replace(tzinfo=UTC)
    return max(timedelta(), due - (now or datetime.now(UTC)))
