"""Which process a number means: a pid is used again by others, a pid with its start time is not."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_STATE, _START_TICKS = 0, 19  # fields 3 and 22 of /proc/<pid>/stat (proc(5)), counted after the name


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process for as long as it lives, and never a later one that got its pid.

    `started` is opaque. On Linux it is the boot and the ticks since then, which no change of the
    clock moves (a time of day would); elsewhere it is what `ps` reports.
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """The process that has this pid now; None if there is none, or only its unreaped remains."""
        started = _started(pid)
        return None if started is None else cls(pid, started)

    def is_alive(self) -> bool:
        return _started(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Signals this process, or nobody if it is gone."""
        try:
            if sys.platform == "linux":
                # The descriptor stays on the process that had the pid when it was opened.
                descriptor = os.pidfd_open(self.pid)
                try:
                    if self.is_alive():
                        signal.pidfd_send_signal(descriptor, number)
                finally:
                    os.close(descriptor)
            elif self.is_alive():
                os.kill(self.pid, number)
        except ProcessLookupError:
            return


def _started(pid: int) -> str | None:
    return _started_on_linux(pid) if sys.platform == "linux" else _started_by_ps(pid)


def _started_on_linux(pid: int) -> str | None:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if after_name[_STATE] in "ZX" else f"{boot}/{after_name[_START_TICKS]}"


def _started_by_ps(pid: int) -> str | None:
    shown = subprocess.run(  # noqa: S603 - a fixed program and a number
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        env={"LC_ALL": "C", "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split(maxsplit=1)
    return None if not shown or shown[0].startswith("Z") else shown[1].strip()
