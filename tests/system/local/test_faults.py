import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic

import pytest

from local_start.datadir import DataDir
from local_start.identity import ProcessId
from local_start.record import Kind, Record, Run
from support import free_port, is_listening, until
from system.local.fake_system import LocalStart, alive


@pytest.mark.parametrize("name", ["fake-gateway", "fake-worker", "fake-world", "valkey"])
def test_what_dies_is_started_again_within_two_seconds_and_told(local: LocalStart, name: str) -> None:
    local.start()
    first = local.process(name)

    first.send(signal.SIGKILL)

    until(lambda: local.process(name) != first and local.process(name).is_alive(), within=5)
    local.wait_until_told(f"{name} died (killed by SIGKILL): started again")
    local.wait_until_told(f"{name} is healthy again")
    assert len(local.open_ports()) == 4


def test_who_dies_again_and_again_is_always_back_within_two_seconds(local: LocalStart) -> None:
    local.start()

    for _ in range(5):
        process = local.process("fake-worker")
        process.send(signal.SIGKILL)
        until(lambda killed=process: local.process("fake-worker") != killed, within=8)

    local.wait_until_told("fake-worker died again at once")
    until(lambda: is_listening(local.worker), within=10)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
def test_a_killed_supervisor_leaves_nothing_behind(local: LocalStart) -> None:
    command = local.start()
    processes = local.everything()

    command.kill9()

    until(lambda: not alive(processes) and not local.open_ports(), within=5)


def test_a_start_after_a_killed_one_succeeds(local: LocalStart) -> None:
    local.start().kill9()

    code, told = local.run("up", "--detach")

    assert code == 0, told
    assert len(local.open_ports()) == 4


def test_down_ends_what_a_killed_supervisor_left(local: LocalStart) -> None:
    with _leftover() as (left, identity):
        _write_record(local, identity)

        code, told = local.run("down")

        assert code == 0, told
        assert left.wait(5) == -signal.SIGTERM


def test_down_spares_a_process_that_got_the_pid_of_a_leftover(local: LocalStart) -> None:
    with _leftover() as (other, identity):
        _write_record(local, ProcessId(identity.pid, "an earlier start"))

        code, told = local.run("down")

        assert code == 0, told
        assert other.poll() is None


def test_a_port_in_use_is_named_before_anything_starts(local: LocalStart) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", local.worker))
        other.listen()

        code, told = local.run("up", "--detach")

    assert code == 1
    assert f"port {local.worker} is in use" in told
    assert "FAKE_WORKER_PORT" in told
    assert not is_listening(local.valkey)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("QUEUE_WORKERS_ENABLED=ture", "QUEUE_WORKERS_ENABLED"),
        ("QUEUE_CONCURRENCY=many", "QUEUE_CONCURRENCY"),
        ("REDIS_URL=http://nowhere", "REDIS_URL"),
    ],
)
def test_a_bad_value_in_the_env_file_is_one_line(local: LocalStart, line: str, named: str) -> None:
    (local.directory / ".env").write_text(f"{line}\n")

    code, told = local.run("up")

    assert code == 2
    assert told.startswith(f"queue: {named}")
    assert told.count("\n") == 1


def test_a_service_that_cannot_start_ends_the_start_with_its_last_words(local: LocalStart) -> None:
    code, told = local.run("up", "--detach", FAKE_FAULT="fake_worker:dies")

    assert code == 1
    assert "fake-worker does not start (exit code 1)" in told
    assert "the moon is full" in told
    assert local.open_ports() == []


def test_a_service_that_is_never_ready_ends_the_start_after_its_time(local: LocalStart) -> None:
    began = monotonic()

    code, told = local.run("up", FAKE_FAULT="fake_worker:unready", QUEUE_START_SECONDS="15")

    assert code == 1
    assert "not healthy after 15 s: fake-worker /readyz answers 503" in told
    assert "fake_worker listens" in told
    assert monotonic() - began < 60
    assert local.open_ports() == []


def test_a_migration_that_fails_ends_the_start_with_its_reason(local: LocalStart) -> None:
    code, told = local.run("up", FAKE_FAULT="fake_worker:bad-migration")

    assert code == 1
    assert "no such table: orders" in told
    assert local.open_ports() == []


def test_a_seed_that_fails_ends_the_start_with_its_reason(local: LocalStart) -> None:
    code, told = local.run("up", FAKE_FAULT="fake_worker:bad-seed")

    assert code == 1
    assert "the database of fake-worker was not seeded" in told
    assert "no such template: refund" in told


def test_a_redis_of_the_user_that_is_silent_is_named_without_its_password(local: LocalStart) -> None:
    port = free_port()

    code, told = local.run("up", REDIS_URL=f"redis://:hunter2@127.0.0.1:{port}/0")

    assert code == 1
    assert f"no Redis answers at 127.0.0.1:{port}" in told
    assert "hunter2" not in told


def test_reset_spares_a_directory_that_no_start_has_made(local: LocalStart) -> None:
    local.data.mkdir()
    (local.data / "thesis.txt").write_text("ten years of work")

    code, told = local.run("reset")

    assert code == 1
    assert "was not made by a local start" in told
    assert (local.data / "thesis.txt").exists()


@contextmanager
def _leftover() -> Generator[tuple[subprocess.Popen[bytes], ProcessId]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        identity = ProcessId.of(process.pid)
        assert identity is not None
        try:
            yield process, identity
        finally:
            process.kill()


def _write_record(local: LocalStart, process: ProcessId) -> None:
    """What a start whose supervisor was killed leaves, where the kernel ends no children."""
    data = DataDir(local.data)
    data.prepare()
    gone = ProcessId(process.pid, "an earlier start")
    Record.of_the_system(data, Run(Kind.SYSTEM, gone)).started("valkey", process)
