"""What a drain found and did, for a person and for a script."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from local_start.bullmq.jobs import Elsewhere, Job, State
from local_start.bullmq.source import Found
from local_start.console import Teller


@dataclass(slots=True)
class Left:
    """Jobs that stay in BullMQ for one reason."""

    reason: str
    name: str
    sample: str
    count: int = 0


@dataclass(slots=True)
class QueueReport:
    """One queue. `mapped` counts what is an event of ours, by its type."""

    queue: str
    found: Found
    mapped: Counter[str] = field(default_factory=Counter[str])
    published: int = 0
    known: int = 0
    """Published by an earlier call."""
    removed: int = 0
    left: dict[tuple[str, str], Left] = field(default_factory=dict[tuple[str, str], Left])

    def leave(self, job: Job, reason: str) -> None:
        left = self.left.setdefault((job.name, reason), Left(reason, job.name, job.id))
        left.count += 1

    @property
    def is_clean(self) -> bool:
        """Whether everything that waits there is, or was, taken over."""
        return not self.left

    def to_json(self) -> dict[str, Any]:
        return {
            "queue": self.queue,
            "paused": self.found.paused,
            "workers": self.found.workers,
            "counts": {str(state): count for state, count in self.found.counts.items()},
            "mapped": dict(self.mapped),
            "published": self.published,
            "known": self.known,
            "removed": self.removed,
            "left": [
                {"name": left.name, "reason": left.reason, "count": left.count, "sample": left.sample}
                for left in self.left.values()
            ],
        }


def tell(report: QueueReport, teller: Teller, *, dry: bool) -> None:
    """One queue in a few lines."""
    teller.heading(report.queue, _rest(report.found))
    for line in _lines(report, dry=dry):
        teller.note(line)
    for left in report.left.values():
        teller.bad(f"{left.count} {left.name} stay: {left.reason} (such as job {left.sample})")
    if report.is_clean and not dry:
        teller.good("all that waited there is in this system")


def _lines(report: QueueReport, *, dry: bool) -> Iterator[str]:
    counts = report.found.counts
    waiting = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    yield f"not begun: {waiting or 'nothing'}"
    others = ", ".join(f"{counts[state]} {_NAMES[state]}" for state in Elsewhere if counts[state])
    if others:
        yield f"left alone: {others}"
    if dry and report.mapped:
        types = ", ".join(f"{count} {name}" for name, count in report.mapped.most_common())
        yield f"would be published: {types}"
    if not dry:
        yield f"published {report.published}, published before {report.known}, removed {report.removed}"


_NAMES = {
    Elsewhere.ACTIVE: "active",
    Elsewhere.FAILED: "failed",
    Elsewhere.WAITING_CHILDREN: "waiting for their children",
    Elsewhere.SCHEDULERS: "job schedulers",
}


def _rest(found: Found) -> str:
    if found.paused:
        return "paused"
    if found.workers is None:
        return "not paused; this Redis does not say whether workers are connected"
    return f"not paused, {found.workers} workers connected"
