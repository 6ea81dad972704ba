"""`queue up --detach`: the same start in the background, told here until it is healthy."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from local_start.console import Teller
from local_start.datadir import DataDir
from local_start.errors import LocalStartError
from local_start.record import Phase, read_system
from local_start.running import tell_it_runs
from local_start.services import System
from local_start.settings import Settings, read, read_ports

_POLL = 0.1  # seconds


def start_detached(system: System, command: Sequence[str], teller: Teller) -> None:
    """Returns once the system is healthy; it runs on in a session of its own.

    `command` runs this command line again.

    Raises:
        LocalStartError: it did not become healthy; then nothing of it runs.
    """
    settings = read(Settings)
    read_ports([*system.services, *system.stand_ins])
    data = DataDir(settings.data_dir)
    data.prepare()
    with data.only_one() as alone:
        pass
    if not alone:
        tell_it_runs(data, settings, teller)
        return
    log = data.new_log("supervisor")
    with log.open("ab") as output:
        supervisor = subprocess.Popen(  # noqa: S603 - ourselves
            [*command, "up"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
    with log.open(encoding="utf-8", errors="replace") as told:
        try:
            _follow(supervisor, data, told)
        except KeyboardInterrupt:
            supervisor.send_signal(signal.SIGTERM)
            supervisor.wait()
            raise


def _follow(supervisor: subprocess.Popen[bytes], data: DataDir, told: TextIO) -> None:
    """Repeats what the supervisor tells until it is healthy or has ended."""
    while True:
        code = supervisor.poll()
        run = read_system(data)
        healthy = run is not None and run.supervisor.pid == supervisor.pid and run.phase is Phase.HEALTHY
        sys.stdout.write(told.read())
        sys.stdout.flush()
        if code is not None:
            if code != 0:
                raise LocalStartError("the system did not start: the reason is above")
            return
        if healthy:
            return
        time.sleep(_POLL)
