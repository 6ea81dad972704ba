"""When a failed event is tried again."""

import random
from dataclasses import dataclass
from datetime import timedelta

POSTPONED_AT_MOST = timedelta(minutes=5)
"""How long an event may be too early before it is dead."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter and a cap.

    Full jitter, a uniform draw between nought and the ceiling, spreads a crowd that failed together
    best (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """

    base: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(minutes=5)
    postponed_at_most: timedelta = POSTPONED_AT_MOST

    def after_failure(self, failures: int) -> timedelta:
        """The delay after the `failures`-th failed attempt, counted from 1."""
        ceiling = min(self.cap, self.base * 2 ** min(failures - 1, 30))
        return ceiling * random.random()

    def after_postponement(self, so_far: timedelta) -> timedelta:
        """The delay for an event that has been too early for `so_far`: short at first, then longer.

        Within two minutes never above 15 seconds, so that a short outage is over soon after its end;
        later at most an eighth of `so_far` and never above `cap`: a day of it leaves some four hundred rows.
        """
        ceiling = min(timedelta(seconds=15), max(timedelta(milliseconds=200), so_far / 2))
        ceiling = min(self.cap, max(ceiling, so_far / 8))
        return ceiling * random.uniform(0.5, 1.0)


class Backoff:
    """Waits between repeated errors of one thing: jittered, doubled up to a cap, reset by success."""

    def __init__(self, *, base: float = 0.1, cap: float = 5.0) -> None:
        """Both in seconds."""
        self._base, self._cap, self._next = base, cap, base

    def reset(self) -> None:
        self._next = self._base

    def next(self) -> float:
        """How long to wait now, in seconds."""
        ceiling, self._next = self._next, min(self._next * 2, self._cap)
        return ceiling * random.uniform(0.5, 1.0)
