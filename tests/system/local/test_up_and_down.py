import os
import signal
import stat
from time import monotonic

from support import is_listening, until
from system.local.fake_system import LocalStart, alive


def test_up_is_told_healthy_with_its_address_its_key_and_a_request_to_try(local: LocalStart) -> None:
    local.start()

    told = local.told()
    assert f"http://127.0.0.1:{local.gateway}" in told
    assert str(local.data / "api-key") in told
    assert "curl -sS" in told
    assert len(local.open_ports()) == 4


def test_both_keys_are_one_line_that_only_their_owner_reads(local: LocalStart) -> None:
    local.start()

    for name in ("api-key", "service-key"):
        path = local.data / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text().startswith("qk_")
        assert path.read_text().count("\n") == 1


def test_ctrl_c_leaves_no_process_and_no_open_port(local: LocalStart) -> None:
    command = local.start()
    processes = local.everything()

    assert command.stop(by=signal.SIGINT, within=20) == 0

    assert alive(processes) == []
    assert local.open_ports() == []


def test_down_returns_when_nothing_is_left(local: LocalStart) -> None:
    local.start()
    processes = local.everything()

    code, told = local.run("down")

    assert code == 0, told
    assert alive(processes) == []
    assert local.open_ports() == []


def test_down_is_fine_where_nothing_runs(local: LocalStart) -> None:
    code, told = local.run("down")

    assert code == 0
    assert "nothing runs" in told
    assert not local.data.exists()


def test_a_detached_start_returns_healthy_and_runs_on(local: LocalStart) -> None:
    code, told = local.run("up", "--detach")

    assert code == 0, told
    assert "the system is up" in told
    assert len(local.open_ports()) == 4
    assert os.getsid(local.supervisor().pid) == local.supervisor().pid


def test_a_second_start_says_that_the_system_runs_already(local: LocalStart) -> None:
    local.start()
    before = local.everything()

    code, told = local.run("up", "--detach")

    assert code == 0, told
    assert "already running (healthy)" in told
    assert local.everything() == before


def test_keys_and_valkey_data_survive_a_restart(local: LocalStart) -> None:
    local.run("up", "--detach")
    key = (local.data / "api-key").read_text()
    local.run("down")

    local.run("up", "--detach")

    assert (local.data / "api-key").read_text() == key
    assert (local.data / "valkey" / "appendonlydir").is_dir()


def test_reset_stops_everything_and_forgets_it(local: LocalStart) -> None:
    local.start()
    processes = local.everything()

    code, told = local.run("reset")

    assert code == 0, told
    assert alive(processes) == []
    assert not local.data.exists()


def test_a_service_that_ignores_sigterm_is_killed_after_its_grace(local: LocalStart) -> None:
    command = local.start(FAKE_FAULT="fake_worker:stubborn", QUEUE_GRACE_SECONDS="1")
    processes = local.everything()

    assert command.stop(within=20) == 0

    assert "fake-worker did not stop in time: killed" in local.told()
    assert alive(processes) == []


def test_a_second_ctrl_c_hurries(local: LocalStart) -> None:
    command = local.start(FAKE_FAULT="fake_worker:stubborn", QUEUE_GRACE_SECONDS="60")
    processes = local.everything()
    command.send(signal.SIGINT)
    local.wait_until_told("stopping")
    began = monotonic()

    until(lambda: command.send(signal.SIGINT) or not command.is_running, within=20)

    assert monotonic() - began < 20
    assert alive(processes) == []


def test_without_workers_only_the_gateway_and_valkey_start(local: LocalStart) -> None:
    local.start(QUEUE_WORKERS_ENABLED="false")

    assert set(local.record()["processes"]) == {"valkey", "fake-gateway"}
    assert not is_listening(local.worker)


def test_what_stands_in_for_the_world_starts_only_where_there_is_no_other(local: LocalStart) -> None:
    local.start(REAL_WORLD="http://world.example")

    assert set(local.record()["processes"]) == {"valkey", "fake-gateway", "fake-worker"}
    assert "the world is None" in (local.data / "logs" / "fake-worker.log").read_text()


def test_templates_can_be_seeded_without_a_start(local: LocalStart) -> None:
    code, told = local.run("seed-templates")

    assert (code, told) == (0, "✓ fake-worker has its templates\n")
    assert local.open_ports() == []


def test_workers_can_run_alone_on_a_valkey_of_their_own(local: LocalStart) -> None:
    local.open("start")
    local.wait_until_told("the workers are up")

    assert set(local.record()["processes"]) == {"valkey", "fake-world", "fake-worker"}


def test_workers_beside_a_running_system_share_its_valkey_and_go_down_with_it(local: LocalStart) -> None:
    local.start()
    local.open("start")
    local.wait_until_told("the workers are up")
    log = next((local.data / "logs").glob("fake-worker-[0-9]*.log"))

    code, told = local.run("down")

    assert code == 0, told
    assert f"redis is redis://127.0.0.1:{local.valkey}/0" in log.read_text()
    assert f"the world is http://127.0.0.1:{local.world}" in log.read_text()
    assert not list((local.data / "run").glob("*.json"))
