"""Redis may crash, lose its last seconds, or be wiped: the databases are the truth, and fill it again."""

import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from support.checker import Checker
from support.faults_load import Load
from support.system import Shape, System

RECOVERY_SECONDS = 60
"""What is promised from the end of the fault until all work is done."""


@pytest.fixture
def system(start_system: Callable[[Shape], System]) -> System:
    return start_system(Shape(odd=1))


@pytest.fixture
def load(system: System) -> Generator[Load]:
    with Load(system) as load:
        yield load


def crash(system: System) -> None:
    """Killed and started again with its AOF."""
    system.redis.kill9()
    system.redis.start()


def wipe(system: System) -> None:
    system.redis.flushall()


def restart_empty(system: System) -> None:
    system.redis.kill9()
    _remove_aof(system.redis_directory)
    system.redis.start()


def cut_the_tail(system: System) -> None:
    """The last writes never reached the disk; how many is anybody's guess, so it is a third of the file."""
    system.redis.kill9()
    for file in (system.redis_directory / "appendonlydir").glob("*.incr.aof"):
        with file.open("r+b") as aof:
            aof.truncate(file.stat().st_size * 2 // 3)
    system.redis.start()


def _remove_aof(directory: Path) -> None:
    for file in (directory / "appendonlydir").iterdir():
        file.unlink()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", [crash, wipe, restart_empty, cut_the_tail])
def test_nothing_is_lost_or_done_twice(
    fault: Callable[[System], None],
    system: System,
    load: Load,
    sized: Callable[[int, int], int],
    tell: Callable[[object], None],
) -> None:
    for _ in range(sized(2, 10)):
        load.go_on(until_accepted=load.accepted + 60)
        fault(system)
    load.go_on(until_accepted=load.accepted + 30)

    load.finish()
    checker = Checker(system)
    began = time.monotonic()
    checker.settle(within=RECOVERY_SECONDS)

    took = time.monotonic() - began
    judgement = checker.judge(load.history, stock=load.stock)
    tell(f"settled {took:.1f} s after the load; {judgement}")
    assert not judgement.wrong, judgement
