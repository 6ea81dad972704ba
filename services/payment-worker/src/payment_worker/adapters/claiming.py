"""Who claims, when, and for how long."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Claimant:
    """One run of an event. `now` is by the clock of Redis."""

    owner: str
    now: datetime
    lasting: timedelta
    """Longer than a call takes at most."""
