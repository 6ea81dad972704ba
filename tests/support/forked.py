"""Service processes that start in no time: forked from a process that has imported all of them.

Everything else about them is as if they were started: a session, signals, a log and an environment of their
own, and the `main` that `python -m` calls.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from multiprocessing.context import ForkServerContext
from pathlib import Path

from support.faults import FILE_SETTING
from support.processes import tell_reaper

_PRELOADED = (
    "gateway.__main__",
    "gateway.main",
    "inventory_worker.__main__",
    "inventory_worker.main",
    "mail_sink.__main__",
    "notification_worker.__main__",
    "notification_worker.main",
    "order_worker.__main__",
    "order_worker.main",
    "payment_sandbox.__main__",
    "payment_sandbox.app",
    "payment_worker.__main__",
    "payment_worker.main",
    "shared.store.migrate",
    "support.faults_points",
    "support.faults_worker",
)


_lock = threading.Lock()
"""Two threads that ask for the end of one process at once would take the answer from each other."""


class Forked:
    """One process that calls `main` of a module, with the same face as `support.processes.Process`."""

    def __init__(
        self, module: str, *arguments: str, log: Path, environment: Mapping[str, str], directory: Path
    ) -> None:
        self.log = log
        self._process = _server().Process(
            target=_run, args=(module, arguments, str(log), dict(environment), str(directory))
        )
        with _lock:
            self._process.start()
        tell_reaper(f"process {self.pid}")

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._code() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        if self.is_running:
            with suppress(ProcessLookupError):  # it has ended by itself in this moment
                os.kill(self.pid, number)

    def wait(self, within: float = 10.0) -> int:
        deadline = time.monotonic() + within
        while (code := self._code()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.log.name, within)
            time.sleep(0.01)
        return code

    def kill9(self) -> None:
        self.send(signal.SIGKILL)
        self.wait()

    def stop(self, *, by: signal.Signals = signal.SIGTERM, within: float = 10.0) -> int:
        self.send(by)
        return self.wait(within)

    def end(self) -> None:
        self.kill9()
        tell_reaper(f"ended {self.pid}")

    def _code(self) -> int | None:
        with _lock:
            return self._process.exitcode


@cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    return context


def _run(
    module: str, arguments: Sequence[str], log: str, environment: Mapping[str, str], directory: str
) -> None:
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [module, *arguments]
    if FILE_SETTING in environment:
        from support.faults_points import put_points

        put_points()
    import_module(module).main()
