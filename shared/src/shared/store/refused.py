"""What the gateway refuses, set aside so that it holds up nothing else."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

Key = tuple[object, ...]
"""What kind of report it is (event, attempt, outcome), and its row's primary key."""

FIRST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0
"""In seconds: what is refused today is taken once the gateway, or the row, has been mended."""
MOST = 1_000
"""Rows. Where so many are refused, none of them is to blame: it is the gateway that is in trouble."""


@dataclass(slots=True)
class _Pause:
    until: float
    seconds: float


class Refused:
    """The rows that the gateway refused, and from when on each is told again.

    Kept in memory alone: the rows stay open in the database, and a restart tells all of them again.
    """

    def __init__(self, *, pause: float = FIRST_PAUSE, clock: Callable[[], float] = time.monotonic) -> None:
        """`pause`, in seconds, is the first; each further one of a row is twice as long, up to an hour."""
        self._first = pause
        self._clock = clock
        self._pauses: dict[Key, _Pause] = {}

    def __len__(self) -> int:
        return len(self._pauses)

    def has_room_for(self, key: Key) -> bool:
        return key in self._pauses or len(self._pauses) < MOST

    def add(self, key: Key) -> bool:
        """Sets a row aside, for longer than the time before. Whether that is the first time."""
        known = self._pauses.get(key)
        seconds = min(known.seconds * 2, LONGEST_PAUSE) if known else self._first
        self._pauses[key] = _Pause(self._clock() + seconds, seconds)
        return known is None

    def resting(self, kind: str) -> list[Key]:
        """The primary keys of the rows of this kind whose time has not come."""
        now = self._clock()
        return [key[1:] for key, pause in self._pauses.items() if key[0] == kind and pause.until > now]

    def forget(self, keys: Iterable[Key]) -> None:
        """They were taken."""
        for key in keys:
            self._pauses.pop(key, None)

    def keep_due(self, found: Collection[Key]) -> None:
        """Forgets those whose time has come and that this batch does not hold.

        Another replica has told them, or they lie beyond this batch: then they are told all the same, and
        only how long they rested is forgotten.
        """
        now = self._clock()
        due = [key for key, pause in self._pauses.items() if pause.until <= now]
        self.forget(set(due) - set(found))
