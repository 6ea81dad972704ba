"""The names of a queue's keys: one hash tag a queue, so that a script never crosses slots of a cluster."""

from dataclasses import dataclass

from shared.events.envelope import Priority

GROUP = "workers"
LANES = (Priority.HIGH, Priority.NORMAL, Priority.LOW)
"""In the order of their priority, and of the lane numbers 1, 2, 3 in the scripts."""


@dataclass(frozen=True, slots=True)
class QueueKeys:
    """All keys of one queue."""

    queue: str

    @property
    def control(self) -> str:
        return f"{{{self.queue}}}:control"

    @property
    def retries(self) -> str:
        return f"{{{self.queue}}}:retries"

    @property
    def retry_bodies(self) -> str:
        return f"{{{self.queue}}}:retry-bodies"

    @property
    def lanes(self) -> tuple[str, str, str]:
        high, normal, low = (f"{{{self.queue}}}:{lane.value}" for lane in LANES)
        return high, normal, low


def lane_number(priority: Priority) -> int:
    """1, 2 or 3."""
    return LANES.index(priority) + 1
