"""Patience, ports and processes of the tests."""

import signal
import sys
from pathlib import Path

import pytest

from support import Process, eventually, free_port, is_listening, until
from support.missing import skip_or_fail

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


async def test_eventually_waits_for_a_predicate_to_be_true() -> None:
    answers = iter([0, 0, 7])

    assert await eventually(lambda: next(answers)) == 7


async def test_eventually_takes_a_failed_assertion_as_not_yet() -> None:
    answers = iter([1, 2, 3])

    async def is_three() -> bool:
        assert next(answers) == 3
        return True

    assert await eventually(is_three)


async def test_eventually_fails_with_the_last_answer() -> None:
    with pytest.raises(AssertionError, match="last: 0"):
        await eventually(lambda: 0, within=0.05)


def test_until_fails_when_its_time_is_over() -> None:
    with pytest.raises(AssertionError, match="not within"):
        until(lambda: False, within=0.05)


def test_no_port_is_given_twice() -> None:
    ports = [free_port() for _ in range(50)]

    assert len(set(ports)) == 50


def test_a_process_shows_what_it_wrote_and_how_it_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import os; print(os.environ['WHO']); raise SystemExit(3)"]
    with Process(command, log=tmp_path / "log", environment={"WHO": "me"}) as process:
        assert process.wait() == 3
        assert process.output() == "me\n"


def test_a_killed_process_ends_by_that_signal(tmp_path: Path) -> None:
    with Process(SLEEP, log=tmp_path / "log") as process:
        process.kill9()

        assert process.wait() == -signal.SIGKILL


def test_a_process_takes_its_children_with_it(tmp_path: Path) -> None:
    port = str(free_port())
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-m', 'http.server', '{port}'])"
    with Process([sys.executable, "-c", script], log=tmp_path / "log"):
        until(lambda: is_listening(int(port)))

    until(lambda: not is_listening(int(port)))


def test_a_process_ends_when_its_tests_are_killed(tmp_path: Path) -> None:
    port = free_port()
    script = (
        "import os, pathlib, sys\n"
        "from support import Process, is_listening, until\n"
        "server = [sys.executable, '-m', 'http.server', sys.argv[1]]\n"
        "Process(server, log=pathlib.Path(os.devnull))\n"
        "until(lambda: is_listening(int(sys.argv[1])))\n"
        "print('listening', flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", script, str(port)]
    with Process(command, log=tmp_path / "log", environment={"PYTHONPATH": tests}) as killed:
        assert killed.wait() == -signal.SIGKILL
        assert killed.output() == "listening\n"

    until(lambda: not is_listening(port))


def test_what_is_missing_is_skipped_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no browser"):
        skip_or_fail("no browser")


def test_what_is_missing_in_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="no browser"):
        skip_or_fail("no browser")
