import os
import signal
import subprocess
import sys

from local_start.identity import ProcessId


def test_a_process_is_known_by_the_same_identity_for_as_long_as_it_lives() -> None:
    assert ProcessId.of(os.getpid()) == ProcessId.of(os.getpid())


def test_a_process_that_ended_is_not_alive_even_before_it_is_reaped() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        identity = ProcessId.of(process.pid)
        assert identity is not None
        assert identity.is_alive()

        identity.send(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert not identity.is_alive()
        assert ProcessId.of(process.pid) is None


def test_a_signal_spares_the_process_that_has_the_pid_now() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        ProcessId(process.pid, "an earlier start").send(signal.SIGKILL)

        assert process.poll() is None
        process.kill()


def test_a_signal_to_a_pid_that_nobody_has_reaches_nobody() -> None:
    ProcessId(2**22 + 1, "never").send(signal.SIGKILL)
