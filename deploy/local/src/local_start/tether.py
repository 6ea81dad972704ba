"""Becomes another program that dies with its supervisor, even if that one is killed (Linux).

Run as `python -I -S tether.py <supervisor's pid> <program> <arguments>`. It asks the kernel for
SIGKILL on the death of the thread that forked it (PR_SET_PDEATHSIG, prctl(2)), which exec keeps, and
execs the program under the same pid. A program of its own and not a `preexec_fn`, because code between
fork and exec is unsafe in a process with threads, and asyncio has one for each child it waits for.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def tethered(command: Sequence[str]) -> tuple[str, ...]:
    """The command that runs `command` tethered to this process; itself where the kernel can't.

    The caller forks from its main thread: the tether is to the thread, not to the process.
    """
    if sys.platform != "linux":
        return tuple(command)
    return (sys.executable, "-I", "-S", __file__, str(os.getpid()), *command)


def _become(supervisor: int, command: Sequence[str]) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        sys.exit(1)  # it died before it could be tied to
    try:
        os.execvp(command[0], list(command))  # noqa: S606 - the whole purpose; no shell is wanted
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}")


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
