"""The demo as a newcomer sees it: the real services, on free ports."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from local_start.datadir import DataDir
from local_start.record import read_system
from local_start.services import SYSTEM
from support import Process, free_port, is_listening, until
from system.local.fake_system import alive

QUEUE = (sys.executable, "-m", "local_start")
KEYS = [key for part in (*SYSTEM.services, *SYSTEM.stand_ins) for key in part.ports]
OVER = "all of it goes on until Ctrl-C"


class Place:
    """A directory and free ports to show the demo on."""

    def __init__(self, directory: Path, processes: ExitStack) -> None:
        self.directory = directory
        self.data = DataDir(directory / "data")
        self.ports = {f"{key.upper()}_PORT": free_port() for key in KEYS} | {"QUEUE_REDIS_PORT": free_port()}
        self.settings = {
            "QUEUE_DATA_DIR": str(self.data.root),
            "QUEUE_START_SECONDS": "150",
            **{variable: str(port) for variable, port in self.ports.items()},
        }
        self._processes = processes

    def open(self, command: str, log: str = "told", **settings: str) -> Process:
        return self._processes.enter_context(
            Process(
                [*QUEUE, command],
                log=self.directory / log,
                environment={**self.settings, **settings},
                directory=self.directory,
            )
        )

    def told(self, log: str = "told") -> str:
        return (self.directory / log).read_text()

    def wait_until_told(self, text: str, log: str = "told") -> None:
        try:
            until(lambda: text in self.told(log), within=150)
        except AssertionError as error:
            raise AssertionError(f"{text!r} was never told:\n{self.told(log)}") from error

    def open_ports(self) -> list[str]:
        return [variable for variable, port in self.ports.items() if is_listening(port)]


@pytest.fixture
def place(tmp_path: Path) -> Generator[Place]:
    with ExitStack() as processes:
        place = Place(tmp_path, processes)
        yield place
        subprocess.run(
            [*QUEUE, "down"], env={**os.environ, **place.settings}, check=True, capture_output=True
        )


@pytest.mark.timeout(400)
def test_the_demo_shows_four_orders_and_stops_with_nothing_left(place: Place) -> None:
    began = monotonic()
    demo = place.open("demo")
    place.wait_until_told("is paid and shipped")
    assert monotonic() - began < 150
    place.wait_until_told(OVER)

    told = place.told()
    assert [line.split()[:2] for line in told.splitlines() if line.startswith("✓ shipped")] == [
        ["✓", "shipped:"]
    ]
    assert told.count("✓ cancelled: ") == 3
    for words in ("12 mails went out", "payment declined", "out of stock", "7 mugs left", "Tracking number:"):
        assert words in told
    kept = next(line for line in told.splitlines() if line.split()[:1] == ["kept"])
    assert kept.split() == ["kept", "71.50", "EUR"]
    assert _run_the_commands_of(told) == ['{"id":', '{"items":']

    run = read_system(place.data)
    assert run is not None
    processes = [run.supervisor, *run.processes.values()]
    assert len(processes) == 1 + 1 + len(SYSTEM.services) + len(SYSTEM.stand_ins)
    assert demo.stop(by=signal.SIGINT, within=30) == 0
    assert alive(processes) == []
    assert place.open_ports() == []


@pytest.mark.timeout(180)
def test_beside_a_running_system_the_demo_goes_to_that_one_and_leaves_it_running(place: Place) -> None:
    place.open("up")
    place.wait_until_told("the system is up")

    demo = place.open("demo", log="beside")

    assert demo.wait(60) == 0, place.told("beside")
    told = place.told("beside")
    assert "the system is already running" in told
    assert told.count("✓ cancelled: ") == 3
    assert "the system runs on" in told
    assert len(place.open_ports()) == len(place.ports)

    again = place.open("demo", log="again")
    assert again.wait(60) == 0, place.told("again")
    assert place.told("again").count("✓ cancelled: ") == 3


@pytest.mark.timeout(120)
def test_a_stop_in_the_middle_of_the_demo_leaves_nothing(place: Place) -> None:
    demo = place.open("demo")
    place.wait_until_told("1 of 4")

    assert demo.stop(by=signal.SIGINT, within=30) == 0

    assert OVER not in place.told()
    assert place.open_ports() == []


def test_without_workers_there_is_no_demo(place: Place) -> None:
    demo = place.open("demo", QUEUE_WORKERS_ENABLED="false")

    assert demo.wait(20) == 2
    assert place.told().startswith("queue: QUEUE_WORKERS_ENABLED")


def _run_the_commands_of(told: str) -> list[str]:
    """What the commands that the demo prints answer, as they are pasted; only the beginning of it."""
    commands = [line.partition("curl ")[2] for line in told.splitlines() if "  curl " in line]
    answers = [
        subprocess.run(["bash", "-c", f"curl {command}"], capture_output=True, text=True, check=True).stdout
        for command in commands
    ]
    return [f"{answer.partition(':')[0]}:" for answer in answers]
