"""What a running start writes down, so that a later command finds it and whatever it left behind."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from local_start.datadir import DataDir
from local_start.identity import ProcessId
from local_start.settings import Client


class Kind(StrEnum):
    SYSTEM = "system"
    WORKERS = "workers"


class Phase(StrEnum):
    STARTING = "starting"
    HEALTHY = "healthy"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Run:
    """One start: its supervisor, the processes under it by name, and where they are reached.

    `valkey_port` is None where the start uses somebody's Redis. `told` is what its workers were told of
    the stand-ins around them. Nothing in it is secret.
    """

    kind: Kind
    supervisor: ProcessId
    phase: Phase = Phase.STARTING
    valkey_port: int | None = None
    processes: dict[str, ProcessId] = field(default_factory=dict[str, ProcessId])
    urls: dict[str, str] = field(default_factory=dict[str, str])
    told: dict[str, str] = field(default_factory=dict[str, str])

    def left_behind(self) -> list[ProcessId]:
        return [process for process in self.processes.values() if process.is_alive()]


_RUN = TypeAdapter(Run)


class Record:
    """The file of one run, replaced as a whole at each change: a reader never sees half of it."""

    def __init__(self, path: Path, run: Run) -> None:
        self._path = path
        self.run = run
        self._write()

    @classmethod
    def of_the_system(cls, data: DataDir, run: Run) -> "Record":
        """The record of the one start that holds the lock of its data directory."""
        return cls(data.run / "start.json", run)

    @classmethod
    def of_more_workers(cls, data: DataDir, run: Run) -> "Record":
        """The record of workers beside a running start; there may be many."""
        return cls(data.run / f"workers-{run.supervisor.pid}.json", run)

    def becomes(self, phase: Phase) -> None:
        self.run = replace(self.run, phase=phase)
        self._write()

    def started(self, name: str, process: ProcessId) -> None:
        self.run = replace(self.run, processes={**self.run.processes, name: process})
        self._write()

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        unfinished = self._path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(asdict(self.run), indent=2) + "\n")
        unfinished.replace(self._path)


def read_system(data: DataDir) -> Run | None:
    return read_run(data.run / "start.json")


def gateway_address(data: DataDir, client: Client) -> str:
    """Where the gateway is: as the user says, else that of the system that runs here, else by its port."""
    if client.gateway_url is not None:
        return client.gateway_url
    run = read_system(data)
    if run is not None and run.supervisor.is_alive() and "gateway" in run.urls:
        return run.urls["gateway"]
    return f"http://127.0.0.1:{client.gateway_port}"


def all_runs(data: DataDir) -> Iterable[tuple[Path, Run]]:
    """Every run that was not ended in order or is still going on: workers first, the system last."""
    for path in sorted(data.run.glob("*.json"), reverse=True):
        run = read_run(path)
        if run is not None:
            yield path, run


def read_run(path: Path) -> Run | None:
    """The run in this file; None if it is gone, or was cut off by a power failure."""
    try:
        return _RUN.validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
