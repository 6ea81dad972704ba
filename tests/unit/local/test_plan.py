import socket
from pathlib import Path

import pytest

from local_start.datadir import DataDir
from local_start.errors import BadSettingError, LocalStartError
from local_start.plan import Plan, make_plan, ports_beside, refuse_taken_ports
from local_start.services import SYSTEM, Service
from local_start.settings import Settings, needed, read, read_ports
from local_start.surroundings import Surroundings, make_surroundings
from support import free_port

SERVICES = SYSTEM.services
_PORTS = {key: port for part in (*SERVICES, *SYSTEM.stand_ins) for key, port in part.ports.items()}


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _plan(
    tmp_path: Path,
    services: tuple[Service, ...] = SERVICES,
    redis_url: str | None = None,
    surroundings: Surroundings | None = None,
) -> Plan:
    return make_plan(
        read(Settings), DataDir(tmp_path), services, _PORTS, redis_url=redis_url, surroundings=surroundings
    )


def _surroundings(tmp_path: Path) -> Surroundings:
    return make_surroundings(needed(SYSTEM.stand_ins), _PORTS, DataDir(tmp_path))


def test_each_service_gets_its_port_its_database_and_the_way_to_all_others(tmp_path: Path) -> None:
    for part in _plan(tmp_path).services:
        settings = part.environment
        assert {variable: settings[variable] for variable in part.ports} == {
            variable: str(port) for variable, port in part.ports.items()
        }
        assert settings["DATABASE_URL"] == f"sqlite:///{tmp_path}/{part.name.replace('-', '_')}.db"
        assert settings["REDIS_URL"] == "redis://127.0.0.1:6380/0"
        assert settings["GATEWAY_URL"] == "http://127.0.0.1:8000"
        assert settings["ORDER_WORKER_URL"] == "http://127.0.0.1:8001"
        assert settings["INVENTORY_WORKER_URL"] == "http://127.0.0.1:8003"
        assert settings["QUEUE_SERVICE_KEY_FILE"] == str(tmp_path / "service-key")


def test_only_the_gateway_knows_the_key_of_all_scopes(tmp_path: Path) -> None:
    plan = _plan(tmp_path)

    knowing = [part.name for part in plan.services if "QUEUE_ADMIN_KEY_FILE" in part.environment]

    assert knowing == ["gateway"]


def test_a_gateway_alone_hears_of_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDER_WORKER_URL", "http://127.0.0.1:8001")

    plan = _plan(tmp_path, SERVICES[:1])

    assert plan.gateway is not None
    assert "ORDER_WORKER_URL" not in plan.gateway.environment


def test_a_redis_of_the_users_takes_the_place_of_valkey(tmp_path: Path) -> None:
    plan = _plan(tmp_path, redis_url="redis://cache:6379/0")

    assert plan.valkey is None
    assert {part.environment["REDIS_URL"] for part in plan.services} == {"redis://cache:6379/0"}


def test_every_service_is_told_of_the_provider_and_the_mail_server_that_stand_in(tmp_path: Path) -> None:
    around = _surroundings(tmp_path)
    plan = _plan(tmp_path, surroundings=around)

    assert [part.name for part in around.parts] == ["payment-sandbox", "mail-sink"]
    for part in plan.services:
        assert part.environment["PAYMENT_SANDBOX_URL"] == "http://127.0.0.1:8010"
        assert part.environment["MAIL_SINK_URL"] == "http://127.0.0.1:8025"
        assert part.environment["SMTP_HOST"] == "127.0.0.1"
        assert part.environment["SMTP_PORT"] == "1025"


def test_the_ports_of_the_stand_ins_are_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDER_WORKER_PORT", "1025")

    ports = read_ports([*SERVICES, *SYSTEM.stand_ins])
    around = make_surroundings(SYSTEM.stand_ins, ports, DataDir(tmp_path))
    plan = make_plan(
        read(Settings), DataDir(tmp_path), SERVICES, ports, redis_url="redis://x", surroundings=around
    )

    with pytest.raises(BadSettingError, match="MAIL_SINK_SMTP_PORT and ORDER_WORKER_PORT are both 1025"):
        refuse_taken_ports(plan.parts)


def test_a_mail_server_of_the_users_takes_the_place_of_the_sink(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_HOST", "mail.example.com")

    around = _surroundings(tmp_path)

    assert [part.name for part in around.parts] == ["payment-sandbox"]
    assert {part.environment["SMTP_HOST"] for part in _plan(tmp_path, surroundings=around).services} == {
        "mail.example.com"
    }


def test_two_parts_on_one_port_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_REDIS_PORT", "8001")

    with pytest.raises(BadSettingError, match="QUEUE_REDIS_PORT and ORDER_WORKER_PORT are both 8001"):
        refuse_taken_ports(_plan(tmp_path).parts)


def test_more_workers_take_ports_that_are_free() -> None:
    port = free_port() - 100
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + 100))
        other.listen()

        assert ports_beside({"order_worker": port})["order_worker"] > port + 100


def test_no_port_is_left_for_workers_beside_the_last() -> None:
    with pytest.raises(LocalStartError, match="no port is free"):
        ports_beside({"order_worker": 65_535})
