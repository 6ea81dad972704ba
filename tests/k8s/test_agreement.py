"""Code, docker-compose.yml and manifests name the same things by the same names."""

import re
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI

from shared.service.hosts import PROBED
from shared.service.settings import ServiceSettings, load
from support.manifests import ROOT, SERVICES, Rendered

COMPOSE: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
# What each of the two says in its own way: how it logs, what an operator may set, where secrets are.
SAID_OTHERWISE = re.compile(
    r".*_FILE|LOG_.*|HOST|REDIS_PORT|SMTP_.*|OPERATORS_EMAIL|ALLOWED_HOSTS|OTEL_.*|QUEUE_WORKERS_ENABLED"
)


def settings_of(service: str) -> type[ServiceSettings]:
    return import_module(f"{service.replace('-', '_')}.settings").Settings


def variables_of(service: str) -> set[str]:
    return {str(field.alias) for field in settings_of(service).model_fields.values()}


def compose_environment(service: str) -> dict[str, str]:
    """With the defaults of what a person may set."""
    said = COMPOSE[service]["environment"]
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for name, value in said.items()}


def own_secrets(tree: Path, service: str, environment: dict[str, str]) -> dict[str, str]:
    """The environment with the paths of this machine in place of the pod's."""
    folder = tree / "overlays" / "local" / "secrets" / service
    return {name: value.replace("/run/secrets", str(folder)) for name, value in environment.items()}


@pytest.mark.parametrize(("service", "port"), SERVICES.items())
def test_names_and_ports_are_the_same_in_code_compose_and_manifests(
    local: Rendered, service: str, port: int
) -> None:
    settings = settings_of(service)
    (container,) = local.kind("Deployment")[service]["spec"]["template"]["spec"]["containers"]
    (offered,) = local.kind("Service")[service]["spec"]["ports"]

    assert settings.name == service
    assert settings.model_fields["port"].default == port
    assert [each["containerPort"] for each in container["ports"]] == [port]
    assert offered == {"name": "http", "port": port, "targetPort": "http"}
    assert (
        container["image"].partition(":")[0]
        == COMPOSE[service]["image"].partition(":")[0]
        == f"shop-queue/{service}"
    )


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_is_one_that_a_service_knows(rendered: Rendered, service: str) -> None:
    known = {name for each in SERVICES for name in variables_of(each)} | {"OTEL_EXPORTER_OTLP_ENDPOINT"}
    said = set(rendered.environment(service)) | set(compose_environment(service))

    assert {name.removesuffix("_FILE") for name in said} <= known


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_understand_what_the_local_overlay_tells_them(
    local: Rendered, tree: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    for name, value in own_secrets(tree, service, local.environment(service)).items():
        monkeypatch.setenv(name, value)

    settings = load(settings_of(service))

    role = service.replace("-", "_")
    assert settings.database_url.startswith(f"postgresql://{role}:")
    assert settings.database_url.endswith(f"@postgres:5432/{role}")
    assert settings.redis_url.startswith("redis://:")
    assert settings.redis_url.endswith("@redis:6379/0")
    assert settings.host == "0.0.0.0"  # noqa: S104 within its pod, behind policies
    assert service in settings.hosts, "others call it by this name"


@pytest.mark.parametrize("service", SERVICES)
def test_compose_and_the_local_overlay_tell_a_service_the_same(local: Rendered, service: str) -> None:
    knows = variables_of(service)
    ours, theirs = (
        {name: value for name, value in said.items() if name in knows and not SAID_OTHERWISE.fullmatch(name)}
        for said in (local.environment(service), compose_environment(service))
    )

    assert ours == theirs
    assert local.settings()["SMTP_HOST"] == compose_environment(service)["SMTP_HOST"]


def test_every_address_is_a_service_with_that_port(local: Rendered) -> None:
    services = local.kind("Service")
    settings = local.settings()
    addresses = [
        value.removeprefix("http://").split(":") for value in settings.values() if value.startswith("http://")
    ]
    addresses += [
        [settings["REDIS_HOST"], settings["REDIS_PORT"]],
        [settings["SMTP_HOST"], settings["SMTP_PORT"]],
    ]

    assert len(addresses) == len(SERVICES) + 3
    for name, port in addresses:
        assert int(port) in {each["port"] for each in services[name]["spec"]["ports"]}
        assert name in COMPOSE


@pytest.mark.parametrize("service", SERVICES)
async def test_probes_and_scrapes_ask_what_a_service_answers_whatever_host_they_name(
    local: Rendered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'never-opened.db'}")
    monkeypatch.setenv("QUEUE_SERVICE_KEY", "a key for this test")
    app: FastAPI = import_module(f"{service.replace('-', '_')}.main").create_app()
    (container,) = local.kind("Deployment")[service]["spec"]["template"]["spec"]["containers"]
    probes = [container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")]

    asked = {probe["path"] for probe in probes} | {"/metrics"}
    assert asked <= set(app.openapi()["paths"])
    # a kubelet names the pod's address as the host, which no service has in its list
    assert asked <= PROBED
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.244.0.7") as kubelet:
        assert (await kubelet.get("/livez")).status_code != HTTPStatus.BAD_REQUEST
    assert {probe["port"] for probe in probes} == {"http"}
    assert (ROOT / "services" / service / "Dockerfile").read_text().count("'/readyz'") == 1


async def test_the_ingress_leads_to_nothing_that_the_gateway_does_not_have(
    overlays: dict[str, Rendered], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'never-opened.db'}")
    monkeypatch.setenv("QUEUE_SERVICE_KEY", "a key for this test")
    app: FastAPI = import_module("gateway.main").create_app()
    routes = {*app.openapi()["paths"], "/docs", "/openapi.json"}
    (rule,) = overlays["production"].kind("Ingress")["gateway"]["spec"]["rules"]

    for each in rule["http"]["paths"]:
        assert any(route.startswith(each["path"]) for route in routes), each
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as person:
        assert (await person.get("/docs")).status_code == HTTPStatus.OK
        assert (await person.get("/openapi.json")).status_code == HTTPStatus.OK


def test_both_have_the_same_stand_ins_with_the_same_ports(local: Rendered) -> None:
    for name, port in (
        ("redis", 6379),
        ("postgres", 5432),
        ("payment-sandbox", 8010),
        ("mail-catcher", 8025),
    ):
        assert name in COMPOSE
        assert port in {each["port"] for each in local.kind("Service")[name]["spec"]["ports"]}
    images = {
        name.partition("/")[2].rpartition("/")[0]: container["image"]
        for name, _, container in local.containers()
    }
    for name in ("redis", "postgres", "mail-catcher"):
        compose = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE[name]["image"])
        assert images[name] == compose
