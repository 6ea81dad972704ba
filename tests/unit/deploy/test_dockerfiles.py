"""The Dockerfiles: one text with five names in it, and no image with more than its own service."""

import re
import shutil
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from support.missing import skip_or_fail

ROOT = Path(__file__).parents[3]
SERVICES = ("gateway", "order-worker", "payment-worker", "inventory-worker", "notification-worker")
DOCKERFILES = {
    **{name: ROOT / "services" / name / "Dockerfile" for name in SERVICES},
    "payment-sandbox": ROOT / "deploy/payment-sandbox/Dockerfile",
    "queue": ROOT / "deploy/local/Dockerfile",
}


def port_of(service: str) -> int:
    settings = import_module(f"{service.replace('-', '_')}.settings").Settings
    return settings.model_fields["port"].default


def without_names(service: str) -> str:
    """The Dockerfile with its service's names and port replaced by what they are."""
    text = DOCKERFILES[service].read_text()
    names = {service: "NAME", service.replace("-", "_"): "MODULE", str(port_of(service)): "PORT"}
    for name, meaning in names.items():
        text = text.replace(name, meaning)
    # where name and module are one word, as for the gateway, the first has taken the second's places
    return text.replace("MODULE", "NAME")


@pytest.mark.parametrize("service", SERVICES[1:])
def test_the_dockerfiles_of_the_services_differ_in_names_and_ports_alone(service: str) -> None:
    assert without_names(service) == without_names("gateway")


@pytest.mark.parametrize("other", ["payment-sandbox", "queue"])
def test_the_other_images_are_built_by_the_same_stages(other: str) -> None:
    def stages(name: str) -> list[str]:
        lines = DOCKERFILES[name].read_text().replace("local-start", name).splitlines()
        kept = [line for line in lines if line and not line.startswith(("#", "COPY deploy", "COPY s"))]
        build = kept[: kept.index("FROM ${PYTHON_IMAGE}") + 2]
        return [re.sub(r"( \./[\w/*-]+)+ &&|\b" + name + r"\b", "…", line) for line in build]

    assert stages(other) == stages("gateway")


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_is_made_of_shared_and_its_own_service(service: str) -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILES[service].read_text(), re.MULTILINE)

    assert copied == ["shared", f"services/{service}"]


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_says_and_asks_the_port_that_its_service_listens_on(service: str) -> None:
    text = DOCKERFILES[service].read_text()

    assert re.findall(r"^EXPOSE (\d+)$", text, re.MULTILINE) == [str(port_of(service))]
    assert f"'127.0.0.1', {port_of(service)}, timeout" in text


@pytest.mark.parametrize("name", sorted({*DOCKERFILES} - {"payment-sandbox"}))
def test_a_driver_with_an_openssl_of_its_own_finds_whom_to_trust(name: str) -> None:
    assert "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt\n" in DOCKERFILES[name].read_text()


@pytest.mark.parametrize("name", DOCKERFILES)
def test_uv_is_the_one_of_the_lock(name: str) -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    locked = next(package["version"] for package in lock["package"] if package["name"] == "uv")

    assert re.findall(r"^ARG UV_VERSION=(.+)$", DOCKERFILES[name].read_text(), re.MULTILINE) == [locked]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_finds_nothing(name: str) -> None:
    linter = Path(ROOT / ".venv/bin/hadolint")
    command = str(linter) if linter.exists() else shutil.which("hadolint")
    if command is None:
        skip_or_fail("there is no hadolint")
    found = subprocess.run([command, DOCKERFILES[name]], check=False, capture_output=True, text=True)

    assert (found.returncode, found.stdout) == (0, "")


def test_the_context_of_a_build_holds_sources_alone() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [rule[1:] for rule in rules if rule.startswith("!")]

    assert rules[1] == "*"
    assert {rule.rpartition("/")[2] for rule in kept} == {"pyproject.toml", "uv.lock", "src"}
