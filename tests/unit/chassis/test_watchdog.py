"""A process whose event loop stands still is ended, wherever it stands."""

import subprocess
import sys
import time

import pytest

PROGRAM = """
import asyncio, re, sys, time
from shared.service.watchdog import Watchdog

async def stand_still():
    {standstill}

async def main():
    watchdog = Watchdog({limit})
    watchdog.start()
    await asyncio.sleep(0.1)
    await stand_still()
    await watchdog.stop()
    await asyncio.sleep(0.01)
    time.sleep({afterwards})
    print("ended by itself")

asyncio.run(main())
"""


def run(
    standstill: str, *, limit: float = 3.0, afterwards: float = 0
) -> tuple[subprocess.CompletedProcess[str], float]:
    began = time.monotonic()
    program = PROGRAM.format(standstill=standstill, limit=limit, afterwards=afterwards)
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=40
    )
    return ended, time.monotonic() - began


@pytest.mark.parametrize(
    "standstill",
    [
        "while True: pass",
        "time.sleep(15)",
        "re.match(r'(a+)+$', 'a' * 60 + 'b')",
        "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()",
    ],
    ids=["python", "sleep", "a C function that holds the interpreter", "a lock"],
)
def test_a_loop_that_stands_still_ends_its_process(standstill: str) -> None:
    ended, seconds = run(standstill, limit=0.5)

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "stand_still" in ended.stderr
    assert seconds < 14


def test_a_loop_that_comes_round_is_left_alone() -> None:
    ended, _ = run("for _ in range(80): await asyncio.sleep(0.05)")

    assert (ended.returncode, ended.stdout) == (0, "ended by itself\n")


def test_a_watchdog_that_was_stopped_ends_nothing() -> None:
    ended, _ = run("pass", afterwards=4)

    assert (ended.returncode, ended.stdout) == (0, "ended by itself\n")
