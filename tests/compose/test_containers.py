"""What a container is allowed, looked at from inside, and what is in its image."""

import json
from typing import Any

import pytest

from support.compose import IMAGES, OURS, TAG, Project, docker

pytestmark = pytest.mark.timeout(1800)
SERVICES = (*OURS, "payment-sandbox")
TMP = "/tmp"  # noqa: S108 - that of a container
STANDS_ON = ("redis", "postgres", "mail-catcher")

# What the container's own user finds: who it is, what it may, where it can write, what can be imported.
_LOOK = """
import importlib.util as util, json, os, re, shutil
from pathlib import Path
status = dict(re.findall(r"^(\\w+):\\s*(.*)$", Path("/proc/1/status").read_text(), re.M))
def can_write(folder):
    try:
        (Path(folder) / ".trial").touch()
    except OSError:
        return False
    (Path(folder) / ".trial").unlink()
    return True
walked = [root for root, _, _ in os.walk("/") if not root.startswith(("/proc", "/sys", "/dev"))]
print(json.dumps({
    "uids": status["Uid"].split(), "gids": status["Gid"].split(),
    "capabilities": int(status["CapBnd"], 16), "no_new_privileges": status["NoNewPrivs"],
    "writable": sorted(filter(can_write, walked)),
    "modules": [m for m in ("pip", "ensurepip", "setuptools", "wheel", "uv") if util.find_spec(m)],
    "programs": [p for p in ("pip", "pip3", "uv", "gcc", "cc", "make", "strip", "curl") if shutil.which(p)],
    "ours": sorted(p.name for p in Path("/app").iterdir() if p.suffix != ".dist-info"),
    "secrets": sorted(p.name for p in Path("/run/secrets").glob("*")),
    "uncompiled": [str(f) for d in ("/app", "/venv/lib") for f in Path(d).rglob("*.py")
                   if not Path(util.cache_from_source(str(f))).exists()],
}))
"""


def look(project: Project, service: str) -> dict[str, Any]:
    return json.loads(project.python(project.containers(service)[0], _LOOK))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_rights_and_can_write_nowhere_but_where_it_must(
    project: Project, service: str
) -> None:
    found = look(project, service)

    assert (set(found["uids"]), set(found["gids"])) == ({"10001"}, {"10001"})
    assert (found["capabilities"], found["no_new_privileges"]) == (0, "1")
    assert found["writable"] == [*(["/data"] if service == "payment-sandbox" else []), TMP]


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_one_service_compiled_and_nothing_to_build_with(
    project: Project, service: str
) -> None:
    found = look(project, service)

    own = service.replace("-", "_")
    assert found["ours"] == ([own] if service == "payment-sandbox" else sorted([own, "shared"]))
    assert (found["modules"], found["programs"]) == ([], [])
    assert found["uncompiled"] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_sees_its_own_secrets_and_no_other(project: Project, service: str) -> None:
    expected = {"database-url", "redis-password", "service-key"}
    expected |= {"api-key"} if service == "gateway" else set()

    assert set(look(project, service)["secrets"]) == (expected if service in OURS else set())


@pytest.mark.parametrize("service", STANDS_ON)
def test_what_the_services_stand_on_runs_without_root_too(project: Project, service: str) -> None:
    container = project.containers(service)[0]
    host = project.inspect(container)["HostConfig"]

    # the init process, and a shell that asks, may be root; the server is the child
    children = docker("exec", container, "sh", "-c", "cat /proc/[0-9]*/status 2>/dev/null")
    users = {
        line.split()[1]
        for block in children.split("Name:")
        if "\nPPid:\t1\n" in block
        for line in block.splitlines()
        if line.startswith("Uid:")
    }
    assert users
    assert "0" not in users
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]


def test_the_gateway_and_the_mails_are_published_on_this_machine_alone(project: Project) -> None:
    published = {
        (service, binding["HostIp"])
        for service in (*SERVICES, *STANDS_ON)
        for container in project.containers(service)
        for bindings in project.inspect(container)["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    }

    assert published == {("gateway", "127.0.0.1"), ("mail-catcher", "127.0.0.1")}


def test_a_role_reaches_its_own_database_and_no_other(project: Project) -> None:
    code = """
import psycopg
from pathlib import Path
own = Path("/run/secrets/database-url").read_text().strip()
for name in ("order_worker", "payment_worker", "gateway", "postgres"):
    try:
        psycopg.connect(own.rpartition("/")[0] + "/" + name).close()
        print(name)
    except psycopg.OperationalError as error:
        assert "permission denied" in str(error), error
"""
    assert project.python(project.containers("order-worker")[0], code).split() == ["order_worker", "postgres"]


def test_no_secret_stands_in_an_environment_or_on_a_command_line(project: Project) -> None:
    secrets = [path.read_text().strip() for path in project.secrets.iterdir()]
    shown = "".join(
        json.dumps(project.inspect(container)["Config"])
        + docker("exec", container, "sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null || true")
        for service in (*SERVICES, *STANDS_ON)
        for container in project.containers(service)
    )

    passwords = {secret.rpartition("@")[0].rpartition(":")[2] or secret for secret in secrets}
    assert not [password for password in passwords if password in shown]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_says_what_it_is_and_how_it_is_stopped(images: None, image: str) -> None:
    config = json.loads(docker("image", "inspect", f"shop-queue/{image}:{TAG}"))[0]["Config"]

    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"][:2] == ["python", "-m"]
    assert config["Labels"]["org.opencontainers.image.title"] == image
    assert {"version", "revision", "licenses", "description"} <= {
        label.rpartition(".")[2]
        for label in config["Labels"]
        if label.startswith("org.opencontainers.image.")
    }
