"""When a consumer looks for entries whose owner is gone, and when it empties its hands for one of them.

Such an entry is a suspect: its last owner may have died of it. It is started only by a consumer that has
nothing else in hand, so that no neighbour is taken along.
"""

import math
import time


class Lookout:
    """One consumer's. Looking costs a little at the server, so it is done now and then."""

    def __init__(self, seconds: float) -> None:
        """`seconds` is the time between two looks."""
        self.seconds = seconds
        self.yielding = False
        """Whether there is a suspect for which this consumer fetches nothing until its hands are empty."""
        self._looked = -math.inf

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._looked > self.seconds

    def order(self, *, empty_handed: bool) -> str:
        """What the next fetch is to do with entries without an owner, as `lua/fetch.lua` names it."""
        if not self.is_due and not (self.yielding and empty_handed):
            return "no"
        self._looked = time.monotonic()
        return "take" if empty_handed else "look"

    def look_soon(self) -> None:
        """A suspect was settled: where there was one there may be more."""
        self._looked = -math.inf
