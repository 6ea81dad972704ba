"""The system as `docker compose up` runs it: a project of its own, on ports of its own, gone afterwards."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from support.faults_client import Client
from support.missing import skip_or_fail
from support.ports import free_port, is_listening
from support.waiting import until

ROOT = Path(__file__).parents[2]
TAG = "compose-test"
OURS = ("gateway", "order-worker", "payment-worker", "inventory-worker", "notification-worker")
WORKERS = OURS[1:]
MIGRATIONS = tuple(f"migrate-{service}" for service in OURS)
IMAGES = (*OURS, "payment-sandbox", "queue")
PATIENCE = 300.0
"""Seconds that a start or a command may take: the machine may have much else to do."""

# Ends the service of a container as a crash does: it is the one child of the init process.
_CRASH = """
import os, signal
from pathlib import Path
for stat in Path("/proc").glob("[0-9]*/stat"):
    if stat.read_text().rpartition(")")[2].split()[1] == "1":
        os.kill(int(stat.parent.name), signal.SIGKILL)
"""


def need_engine() -> None:
    """Skips the test, or fails it in CI, where there is no engine with compose."""
    for question in (["docker", "info"], ["docker", "compose", "version"]):
        if (
            not shutil.which("docker")
            or subprocess.run(question, check=False, capture_output=True).returncode
        ):
            skip_or_fail("no container engine answers `docker compose`")


def docker(*arguments: str, environment: Mapping[str, str] | None = None, within: float = PATIENCE) -> str:
    """What the command wrote to standard output; raises AssertionError with all that a failed one said."""
    done = subprocess.run(
        ["docker", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=within,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-6000:]}"
    return done.stdout


class Project:
    """One project: secrets of its own, two free ports for gateways, one for the mail catcher.

    Leaving the context takes it down, and raises AssertionError if anything of it is left.
    """

    def __init__(self, directory: Path, **settings: str) -> None:
        self.name = f"shop-queue-test-{uuid4().hex[:8]}"
        self.secrets = directory / "secrets"
        self._make_secrets()
        self.gateway_port, self.mail_port = _two_ports_in_a_row(), free_port()
        self._environment = {
            "COMPOSE_PROJECT_NAME": self.name,
            "QUEUE_SECRETS_DIR": str(self.secrets),
            "GATEWAY_PORT": str(self.gateway_port),
            "MAIL_CATCHER_PORT": str(self.mail_port),
            "TAG": TAG,
            **settings,
        }

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text().strip()

    def forget_secret(self, name: str) -> None:
        """Makes it anew, on the host alone: a container reads what was there when it started."""
        (self.secrets / name).unlink()
        self._make_secrets()

    def _make_secrets(self) -> None:
        subprocess.run([ROOT / "deploy/compose/make-secrets", self.secrets], check=True, capture_output=True)

    def compose(self, *arguments: str, **settings: str) -> str:
        """`docker compose …` on this project, perhaps with other settings than before."""
        return docker("compose", *arguments, environment={**self._environment, **settings})

    def up(self, *arguments: str, **settings: str) -> None:
        """Returns once all is healthy."""
        try:
            self.compose("up", "--detach", "--wait", "--no-build", *arguments, **settings)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.compose('logs', '--tail', '30')[-6000:]}") from None

    def shell(self, commands: str, directory: Path) -> None:
        """Runs what a page tells to paste, beside docker-compose.yml; its files go elsewhere."""
        told = {**os.environ, **self._environment, "COMPOSE_FILE": str(ROOT / "docker-compose.yml")}
        done = subprocess.run(
            ["bash", "-ec", commands],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=directory,
            env=told,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout[-2000:]}{done.stderr[-6000:]}"

    def containers(self, service: str) -> list[str]:
        """The ids of those that run, in the order of their numbers."""
        rows = [json.loads(line) for line in self.compose("ps", "--format", "json", service).splitlines()]
        return [row["ID"] for row in sorted(rows, key=lambda row: row["Name"])]

    def inspect(self, container: str) -> dict[str, Any]:
        return json.loads(docker("inspect", container))[0]

    def is_healthy(self, container: str) -> bool:
        return self.inspect(container)["State"].get("Health", {}).get("Status") == "healthy"

    def wait_until_healthy(self, service: str) -> None:
        for container in self.containers(service):
            until(lambda container=container: self.is_healthy(container), within=PATIENCE)

    def python(self, container: str, code: str) -> str:
        """What this Python says in the container, as the container's own user."""
        return docker("exec", container, "python", "-c", code)

    def crash(self, container: str) -> None:
        """SIGKILL for the service in it, from inside; Docker starts the container again."""
        crashes = self.inspect(container)["RestartCount"]
        self.python(container, _CRASH)
        until(lambda: self.inspect(container)["RestartCount"] > crashes, within=PATIENCE)

    def roll(self, service: str) -> None:
        """Restarts the containers of a service, each after the one before it has become healthy."""
        for container in self.containers(service):
            docker("restart", container)
            until(lambda container=container: self.is_healthy(container), within=PATIENCE)

    @property
    def gateways(self) -> list[str]:
        """The addresses at which the gateways are published."""
        addresses: list[str] = []
        for container in self.containers("gateway"):
            bound = self.inspect(container)["NetworkSettings"]["Ports"]["8000/tcp"]
            addresses += [f"http://{binding['HostIp']}:{binding['HostPort']}" for binding in bound or ()]
        return addresses

    def client(self) -> Client:
        return Client(self.gateways, self.secret("api-key"))

    def ask(self, url: str) -> Any:
        """The JSON that somebody inside the project's network answers."""
        code = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=20).read().decode())"
        return json.loads(self.python(self.containers("payment-worker")[0], code))

    def left(self) -> list[str]:
        """Whatever of this project the engine still knows, and the ports that are still open."""
        label = ["--quiet", "--filter", f"label=com.docker.compose.project={self.name}"]
        kinds: Sequence[Sequence[str]] = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
        left = [line for kind in kinds for line in docker(*kind, *label).splitlines()]
        ports = (self.gateway_port, self.gateway_port + 1, self.mail_port)
        return left + [str(port) for port in ports if is_listening(port)]

    def add_gateway(self) -> None:
        """Starts a second one beside the first, at the next port."""
        ports = f"{self.gateway_port}-{self.gateway_port + 1}"
        more = ("--no-deps", "--no-recreate", "--scale", "gateway=2", "gateway")
        self.up(*more, GATEWAY_PORT=ports)

    def down(self) -> None:
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()
        assert not self.left()


def build_images() -> None:
    """All of our images, as compose builds them; one at a time, since each takes a core."""
    told = {"TAG": TAG, "QUEUE_SECRETS_DIR": ".secrets", "COMPOSE_PARALLEL_LIMIT": "1"}
    docker("compose", "--profile", "tools", "build", "--quiet", environment=told, within=1500)


def forget_images() -> None:
    """Their layers stay in the cache of builds, so that the next ones take seconds."""
    docker("image", "rm", *(f"shop-queue/{name}:{TAG}" for name in IMAGES))


def _two_ports_in_a_row() -> int:
    return until(lambda: next((p for p in (free_port(),) if not is_listening(p + 1)), 0))
