"""A local start of fake services, on free ports and in a directory of its own."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from local_start.identity import ProcessId
from support import Process, free_port, is_listening, until

_FAKES = Path(__file__).parent / "fakes"
QUEUE = (sys.executable, str(_FAKES / "fake_queue.py"))
_PATIENCE = 40.0  # seconds, on a machine that is busy with other things


class LocalStart:
    """Runs `queue` commands as a user would, and looks at what they leave."""

    def __init__(self, directory: Path, processes: ExitStack) -> None:
        self.directory = directory
        self.data = directory / ".data"
        self.gateway, self.worker = free_port(), free_port()
        self.world, self.valkey = free_port(), free_port()
        self._settings = {
            "PYTHONPATH": str(_FAKES),
            "FAKE_GATEWAY_PORT": str(self.gateway),
            "FAKE_WORKER_PORT": str(self.worker),
            "FAKE_WORLD_PORT": str(self.world),
            "QUEUE_REDIS_PORT": str(self.valkey),
            "QUEUE_GRACE_SECONDS": "3",
        }
        self._processes = processes

    def open(self, *arguments: str, log: str = "told", **settings: str) -> Process:
        """A command in the background, in a session of its own."""
        return self._processes.enter_context(
            Process(
                [*QUEUE, *arguments],
                log=self.directory / log,
                environment={**self._settings, **settings},
                directory=self.directory,
            )
        )

    def run(self, *arguments: str, **settings: str) -> tuple[int, str]:
        """A command's exit code and what it told."""
        log = f"ran-{len(list(self.directory.glob('ran-*')))}"
        command = self.open(*arguments, log=log, **settings)
        return command.wait(_PATIENCE * 2), command.output()

    def told(self) -> str:
        return (self.directory / "told").read_text()

    def wait_until_told(self, text: str) -> None:
        try:
            until(lambda: text in self.told(), within=_PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{text!r} was never told:\n{self.told()}") from error

    def start(self, **settings: str) -> Process:
        """`queue up`, healthy."""
        command = self.open("up", **settings)
        self.wait_until_told("or `make down`")  # the end of the welcome
        return command

    def record(self) -> dict[str, Any]:
        return json.loads((self.data / "run" / "start.json").read_text())

    def process(self, name: str) -> ProcessId:
        return ProcessId(**self.record()["processes"][name])

    def supervisor(self) -> ProcessId:
        return ProcessId(**self.record()["supervisor"])

    def everything(self) -> list[ProcessId]:
        return [self.supervisor(), *(self.process(name) for name in self.record()["processes"])]

    def open_ports(self) -> list[int]:
        return [port for port in (self.gateway, self.worker, self.world, self.valkey) if is_listening(port)]


def alive(processes: list[ProcessId]) -> list[ProcessId]:
    return [process for process in processes if process.is_alive()]
