"""The names of a queue's keys: one hash tag a queue, so that a script never crosses slots of a cluster."""

from shared.events.envelope import Priority

GROUP = "workers"
LANES = (Priority.HIGH, Priority.NORMAL, Priority.LOW)
"""In the order of their priority, and of the lane numbers 1, 2, 3 in the scripts."""


class QueueKeys:
    """All keys of one queue."""

    def __init__(self, queue: str) -> None:
        tag = f"{{{queue}}}"
        self.control = f"{tag}:control"
        """A hash: the epoch, and the life of the server that it was opened in."""
        self.retries = f"{tag}:retries"
        """A sorted set: event, run and digest of its body, by when they are due (ms since 1970)."""
        self.retry_bodies = f"{tag}:retry-bodies"
        """A hash: the same to the number of the lane and the body."""
        self.lanes = tuple(f"{tag}:{lane.value}" for lane in LANES)
        """Streams, in the order of their priority."""


def lane_number(priority: Priority) -> int:
    """1, 2 or 3."""
    return LANES.index(priority) + 1
