"""Runs a command on a machine that stands still now and then: all of its processes stop, and go on.

    python tests/support/standstill.py 0.5 make test

A test that fails then has taken a length of time for a fact. Each time it is between a tenth of a second and
as many seconds as are given. On Linux only. It ends as the command does.

A process that a test freezes in the same moment is thawed with the others: that failure is this program's.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

BETWEEN_SECONDS = (0.5, 2.5)


def descendants(pid: int) -> list[int]:
    """The process, its children, theirs, and so on, as they are now."""
    found, unseen = list[int](), [pid]
    while unseen:
        found.append(unseen.pop())
        for thread in Path(f"/proc/{found[-1]}/task").glob("*/children"):
            with suppress(OSError):  # it has ended since
                unseen += map(int, thread.read_text().split())
    return found


def is_stopped(pid: int) -> bool:
    """Whether it stands still already, because a test has frozen it, or is no more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "TtZ"
    except OSError:
        return True


def tell(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def main(longest: float, command: list[str]) -> int:
    running = subprocess.Popen(command)
    while running.poll() is None:
        time.sleep(random.uniform(*BETWEEN_SECONDS))
        still = [pid for pid in descendants(running.pid) if not is_stopped(pid)]
        tell(still, signal.SIGSTOP)
        time.sleep(random.uniform(0.1, longest))
        tell(still, signal.SIGCONT)
    return running.returncode


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
