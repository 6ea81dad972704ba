"""docker-compose.yml says what the services understand, and gives no container more than it needs."""

import re
import subprocess
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.service.settings import ServiceSettings

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
FILE: dict[str, Any] = yaml.safe_load(TEXT)
CONTAINERS: dict[str, dict[str, Any]] = FILE["services"]
SERVICES = ("gateway", "order-worker", "payment-worker", "inventory-worker", "notification-worker")
FIRST_PAGE_ENDS = 250
TAKES_ITS_VOLUME = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
"""What the database's image needs to give its volume to the user that it then becomes."""


def settings_of(service: str) -> type[ServiceSettings]:
    return import_module(f"{service.replace('-', '_')}.settings").Settings


def secrets_of(service: str) -> set[str]:
    return {
        each if isinstance(each, str) else each["target"] for each in CONTAINERS[service].get("secrets", [])
    }


@pytest.mark.parametrize("name", CONTAINERS)
def test_no_container_has_rights_that_it_does_not_need(name: str) -> None:
    container = CONTAINERS[name]

    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["read_only"] is True
    assert container["init"] is True
    assert {"cpus", "memory", "pids"} == set(container["deploy"]["resources"]["limits"])
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & set(container)
    assert set(container.get("cap_add", ())) == (TAKES_ITS_VOLUME if name == "postgres" else set())


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_port_is_open_to_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in CONTAINERS[name].get("ports", []))


def test_what_a_person_looks_at_is_all_that_is_published() -> None:
    published = {name for name, container in CONTAINERS.items() if container.get("ports")}

    assert published == {"gateway", "mail-catcher", "prometheus", "grafana"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_be_scaled(service: str) -> None:
    assert "container_name" not in CONTAINERS[service]
    assert service == "gateway" or "ports" not in CONTAINERS[service]


@pytest.mark.parametrize("service", SERVICES)
def test_how_many_there_are_may_stand_in_the_env_file(service: str) -> None:
    assert CONTAINERS[service]["scale"] == f"${{{service.replace('-', '_').upper()}S:-1}}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_longer_to_stop_than_its_handlers(service: str) -> None:
    container = CONTAINERS[service]
    grace = timedelta(seconds=container["environment"]["QUEUE_GRACE_SECONDS"])

    assert timedelta(seconds=int(container["stop_grace_period"].removesuffix("s"))) >= grace * 1.5


def test_every_variable_is_one_that_a_service_knows() -> None:
    told = {name.removesuffix("_FILE") for name in CONTAINERS["gateway"]["environment"]}
    known = {field.alias for service in SERVICES for field in settings_of(service).model_fields.values()} | {
        "OTEL_EXPORTER_OTLP_ENDPOINT"
    }

    assert told <= known


@pytest.mark.parametrize("service", SERVICES)
def test_every_secret_that_a_service_is_told_of_is_there_for_it(service: str) -> None:
    known = {field.alias for field in settings_of(service).model_fields.values()}
    told = {
        path.rpartition("/")[2]
        for name, path in CONTAINERS[service]["environment"].items()
        if name.endswith("_FILE") and name.removesuffix("_FILE") in known
    }

    assert told == secrets_of(service)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_after_its_own_migrations(service: str) -> None:
    done = {"condition": "service_completed_successfully"}
    job = CONTAINERS[f"migrate-{service}"]
    waited_for = dict(CONTAINERS[service]["depends_on"])
    if service == "notification-worker":
        assert waited_for["seed-templates"] == done
        waited_for = CONTAINERS["seed-templates"]["depends_on"]

    assert waited_for[f"migrate-{service}"] == done
    assert job["image"] == CONTAINERS[service]["image"]
    assert job["secrets"] == CONTAINERS[service]["secrets"]
    assert job["restart"] == "no"


BUILT_HERE = [name for name, container in CONTAINERS.items() if container["image"].startswith("shop-queue/")]


@pytest.mark.parametrize("name", BUILT_HERE)
def test_an_image_that_is_built_here_is_never_asked_of_a_registry(name: str) -> None:
    assert CONTAINERS[name]["pull_policy"] == "never"


@pytest.mark.parametrize("name", ["redis", "postgres", "prometheus", "grafana"])
def test_a_start_waits_until_it_answers(name: str) -> None:
    assert CONTAINERS[name]["healthcheck"]["test"][0] == "CMD"


def test_the_collector_is_asked_nothing_since_its_image_holds_the_collector_alone() -> None:
    assert "healthcheck" not in CONTAINERS["otel-collector"]


MOUNTED = {
    volume.partition(":")[0].removeprefix("./")
    for container in CONTAINERS.values()
    for volume in container.get("volumes", [])
    if volume.startswith("./")
}


def test_everything_that_is_mounted_is_there() -> None:
    assert [path for path in MOUNTED if not (ROOT / path).exists()] == []


def test_a_checkout_with_a_strict_umask_is_made_readable_for_the_users_of_containers() -> None:
    command = re.search(r"chmod -R a\+rX ([^#\n]+)", (ROOT / "Makefile").read_text())

    assert command
    assert [path for path in MOUNTED if not path.startswith(tuple(command[1].split()))] == []


def test_it_is_one_page() -> None:
    assert len(TEXT.splitlines()) <= FIRST_PAGE_ENDS


def make_secrets(*arguments: Path) -> None:
    subprocess.run([ROOT / "deploy/compose/make-secrets", *arguments], check=True, capture_output=True)


def test_the_secrets_that_are_made_are_those_that_the_file_names(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets")

    named = {re.sub(r"^\$\{.*\}", "", secret["file"]).strip("/") for secret in FILE["secrets"].values()}
    assert {path.name for path in (tmp_path / "secrets").iterdir()} == named == set(FILE["secrets"])


def test_making_the_secrets_again_changes_none(tmp_path: Path) -> None:
    def contents() -> dict[str, str]:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return {str(path): path.read_text() for path in files}

    make_secrets(tmp_path / "secrets", tmp_path / ".env")
    before = contents()
    make_secrets(tmp_path / "secrets", tmp_path / ".env")
    (tmp_path / "secrets/redis-password").unlink()
    make_secrets(tmp_path / "secrets", tmp_path / ".env")

    after = contents()
    changed = {Path(path).name for path in before if before[path] != after.get(path)}
    assert changed == {"redis-password"}


def test_only_their_owner_comes_near_the_secrets_and_any_container_user_can_read_its_own(
    tmp_path: Path,
) -> None:
    make_secrets(tmp_path / "secrets")

    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()} == {0o444}


def test_an_env_file_keeps_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GATEWAY_PORT=9000")
    make_secrets(tmp_path / "secrets", tmp_path / ".env")

    assert (tmp_path / ".env").read_text() == f"GATEWAY_PORT=9000\nQUEUE_SECRETS_DIR={tmp_path}/secrets\n"
