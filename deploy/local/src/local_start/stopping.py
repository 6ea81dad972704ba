"""Stops whatever runs on a data directory, and clears away what a killed start left behind."""

import signal
import time
from collections.abc import Iterable
from datetime import timedelta

from local_start.console import Teller
from local_start.datadir import DataDir
from local_start.errors import LocalStartError
from local_start.identity import ProcessId
from local_start.record import all_runs
from local_start.settings import Place, read

_POLL = 0.05  # seconds
_OWN_STOP = timedelta(seconds=20)  # what a supervisor may take beyond its services' grace
_KILLED = timedelta(seconds=5)


def stop(teller: Teller) -> None:
    """`queue down`: says whether there was something to stop."""
    place = read(Place)
    data = DataDir(place.data_dir)
    if stop_everything(data, place.grace, teller):
        teller.good("stopped: nothing is left running")
    else:
        teller.good(f"nothing runs on {data.root}")


def stop_and_forget(teller: Teller) -> None:
    """`queue reset`: stops everything, then deletes what local starts made in their directory.

    Raises:
        LocalStartError: the directory was not made by a local start, or another start begins just now.
    """
    place = read(Place)
    data = DataDir(place.data_dir)
    data.refuse_if_not_ours()
    stop_everything(data, place.grace, teller)
    if data.forget():
        teller.good(f"forgot everything on {data.root}")
    else:
        teller.good(f"nothing to forget on {data.root}")


def stop_everything(data: DataDir, grace: timedelta, teller: Teller) -> int:
    """Returns how many runs it ended, once no process of theirs is left; 0 where nothing ran.

    Raises:
        LocalStartError: a process outlived even SIGKILL.
    """
    ended = 0
    for _, run in all_runs(data):
        if run.supervisor.is_alive():
            with teller.waiting("stopping"):
                end([run.supervisor], grace + _OWN_STOP)
            ended += 1
    return ended + clear_away_leftovers(data, grace)


def clear_away_leftovers(data: DataDir, grace: timedelta) -> int:
    """Ends what supervisors that are gone left running, and returns how many of them did.

    Raises:
        LocalStartError: a process outlived even SIGKILL.
    """
    leaving = 0
    for path, run in all_runs(data):
        if run.supervisor.is_alive():
            continue
        left = run.left_behind()
        end(left, grace)
        path.unlink(missing_ok=True)
        leaving += bool(left)
    return leaving


def end(processes: Iterable[ProcessId], grace: timedelta) -> None:
    """SIGTERM to each, SIGKILL to those that are there after the grace; returns when all are gone.

    Raises:
        LocalStartError: one outlived even SIGKILL.
    """
    left = list(processes)
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, _KILLED)):
        for process in left:
            process.send(number)
        left = _still_alive(left, patience)
    if left:
        raise LocalStartError(f"process {left[0].pid} cannot be ended")


def _still_alive(processes: list[ProcessId], patience: timedelta) -> list[ProcessId]:
    deadline = time.monotonic() + patience.total_seconds()
    left = processes
    while left := [process for process in left if process.is_alive()]:
        if time.monotonic() > deadline:
            return left
        time.sleep(_POLL)
    return []
