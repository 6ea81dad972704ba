"""Processes that a test starts: it signals no other, and none of them outlives it."""

import atexit
import contextlib
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from support import reaper


class Process:
    """One program, started at once in a session of its own; its output goes to the end of the file `log`.

    `environment` is added to that of the tests. `user` drops the privileges of root to that user.
    Leaving the context, or the end of the tests by whatever means, kills it and what it started.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        user: str | None = None,
    ) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(  # the context that closes it is this class
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=directory,
                user=user,
                group=None if user is None else _group_of(user),
                extra_groups=None if user is None else [],
                start_new_session=True,
            )
        self._ended = False
        tell_reaper(f"process {self.pid}")

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def output(self) -> str:
        """All that it has written so far, to both of its outputs."""
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Signals this process and not its children; does nothing once it has ended."""
        self._popen.send_signal(number)

    def wait(self, within: float = 10.0) -> int:
        """Its exit code, negative after a signal. Raises `subprocess.TimeoutExpired` if it goes on."""
        return self._popen.wait(within)

    def kill9(self) -> None:
        """Ends this process as a crash does, without a word to it; its children go on."""
        self._popen.kill()
        self._popen.wait()

    def stop(self, *, by: signal.Signals = signal.SIGTERM, within: float = 10.0) -> int:
        """Asks it to end, and returns its exit code. Raises `subprocess.TimeoutExpired` if it goes on."""
        self.send(by)
        return self.wait(within)

    def end(self) -> None:
        """Kills it and everything that it started. May be called again."""
        if self._ended:
            return
        self._ended = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        tell_reaper(f"ended {self.pid}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def tell_reaper(order: str) -> None:
    """Sends one line to the reaper of these tests, which is started by the first."""
    orders = _reaper().stdin
    assert orders is not None
    orders.write(f"{order}\n")
    orders.flush()


@cache
def _reaper() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-I", reaper.__file__], stdin=subprocess.PIPE, text=True, start_new_session=True
    )
    atexit.register(process.communicate)
    return process


def _group_of(user: str) -> int:
    return pwd.getpwnam(user).pw_gid
