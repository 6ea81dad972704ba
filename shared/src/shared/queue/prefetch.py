"""How many deliveries a consumer fetches, and how many of them the lower lanes may have."""

BRISK_SECONDS = 0.05
"""Handlers faster than this are worth a delivery in reserve for each place; slower ones are not."""
ONE_IN = 10
"""Each of the lower lanes has a right to one place in so many."""


class Prefetch:
    """As many as there are places for handlers, and as many again in reserve while handlers are quick.

    Nothing is fetched that would wait long for its place: another consumer may have one free.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._seconds = BRISK_SECONDS  # a running mean of what a handler takes
        self._parts = {"low": 0, "normal": 0}  # of a place, earned so far, in tenths

    def ran(self, seconds: float) -> None:
        """A handler took so long."""
        self._seconds += (seconds - self._seconds) * 0.1

    def suffices(self, unsettled: int) -> bool:
        """Whether all places are busy and the reserve is more than half full: a larger fetch is cheaper."""
        return unsettled > self._places + self._reserve // 2

    def room(self, unsettled: int) -> int:
        """How many to fetch beside those that wait or run already."""
        return 0 if self.suffices(unsettled) else max(self._places + self._reserve - unsettled, 0)

    def shares(self, room: int) -> tuple[int, int]:
        """How many of these places the low and the normal lane may fill before the lanes above them."""
        low = self._share("low", room)
        return low, self._share("normal", room - low)

    @property
    def _reserve(self) -> int:
        return self._places if self._seconds < BRISK_SECONDS else 0

    def _share(self, lane: str, room: int) -> int:
        # Parts of a place add up, so that with little room a lane has its turn every few fetches.
        share, self._parts[lane] = divmod(self._parts[lane] + room, ONE_IN)
        return share
