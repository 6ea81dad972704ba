"""A program that ends what its parent started, once the parent is gone, however it went.

It reads lines from its standard input: `process <pid>`, `ended <pid>` and `directory <path>`. When the input
closes, because the parent closed it or was killed, every process that has not ended is killed together with
its group, and every directory is removed. Uses only the standard library, so that it starts in no time.
"""

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterable


def reap(lines: Iterable[str]) -> None:
    running: set[int] = set()
    directories: list[str] = []
    for line in lines:
        match line.rstrip("\n").split(" ", maxsplit=1):
            case ["process", pid]:
                running.add(int(pid))
            case ["ended", pid]:
                running.discard(int(pid))
            case ["directory", path]:
                directories.append(path)
            case _:
                raise ValueError(f"not an order for the reaper: {line!r}")
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    for path in directories:
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    reap(sys.stdin)
