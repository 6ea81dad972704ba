"""Named points of the code at which a test lets a process die, raise, be cancelled or stand still.

A test arms a point by a file that the process looks at whenever it passes one. The points themselves are
put around the objects of a service by `support.faults_points`; production code knows nothing of them.
"""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

FILE_SETTING = "FAULTS_FILE"
"""The variable that names the file; without it every point is passed unseen."""


class How(StrEnum):
    """What happens at a point."""

    KILL = "kill"
    EXCEPTION = "exception"
    CANCEL = "cancel"
    HANG = "hang"  # the event loop stands still


WORKER_POINTS = (
    "after-fetch",
    "before-transaction",
    "in-transaction",
    "before-commit",
    "after-commit",
    "before-ack",
    "after-ack",
    "before-failure",
    "after-failure",
    "before-retry-move",
    "after-retry-move",
    "before-dead-letter",
    "after-dead-letter",
    "before-suspect",
    "after-suspect",
    "before-send",
    "before-mark",
    "after-mark",
    "before-post",
    "before-close",
    "after-close",
)
"""As an event passes them. `before-mark` comes after the send, `before-close` after the post."""

OUTSIDE_POINTS = (
    "before-step",
    "after-step",
    "before-call",
    "after-call",
    "before-last",
    "after-last",
)
"""Of a handler with an effect outside of the database: around its transactions, and around the call."""

GATEWAY_POINTS = (
    "before-journal",
    "after-journal",
    "before-take-over",
    "after-take-over",
    "before-send",
    "before-mark",
    "after-mark",
)


class PlantedError(Exception):
    """The exception of a point that is armed with `exception`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One passage of one point, and what happens there."""

    point: str
    how: How

    def __str__(self) -> str:
        return f"{self.point} {self.how}"


class Faults:
    """The test's side: arms the points of one process. A fault happens once."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def arm(self, *faults: Fault) -> None:
        """They happen one after the other: each is armed once the one before has happened."""
        beside = self.file.with_suffix(".new")
        beside.write_text("\n".join(map(str, faults)))
        beside.replace(self.file)

    def disarm(self) -> None:
        self.file.unlink(missing_ok=True)

    @property
    def armed(self) -> list[Fault]:
        """What has not happened yet."""
        return _read(self.file)


def reach(point: str) -> None:
    """The process's side: returns, unless this point is armed."""
    file = os.environ.get(FILE_SETTING)
    armed = _read(Path(file)) if file else []
    if not file or not armed or armed[0].point != point:
        return
    Faults(Path(file)).arm(*armed[1:]) if armed[1:] else Faults(Path(file)).disarm()
    match armed[0].how:
        case How.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case How.EXCEPTION:
            raise PlantedError(f"planted at {point}")
        case How.CANCEL:
            raise asyncio.CancelledError(f"planted at {point}")
        case How.HANG:
            time.sleep(3600)


def _read(file: Path) -> list[Fault]:
    try:
        lines = file.read_text().split("\n")
    except FileNotFoundError:
        return []
    return [Fault(point, How(how)) for point, how in (line.split() for line in lines)]
