"""The Kubernetes manifests, as kubectl renders them, and the tools that judge them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.missing import skip_or_fail

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
OVERLAYS = ("local", "local-hpa", "production")
SERVICES = {
    "gateway": 8000,
    "order-worker": 8001,
    "payment-worker": 8002,
    "inventory-worker": 8003,
    "notification-worker": 8004,
}
"""The services and their ports, as interface.md fixes them."""
WORKERS = tuple(name for name in SERVICES if name != "gateway")

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What `kubectl apply -k` would send for one overlay."""

    text: str
    manifests: tuple[Manifest, ...]

    def kind(self, *kinds: str) -> dict[str, Manifest]:
        """All of these kinds by name."""
        return {each["metadata"]["name"]: each for each in self.manifests if each["kind"] in kinds}

    def pods(self) -> dict[str, Manifest]:
        """The pod templates by `Kind/name` of what makes them."""
        return {
            f"{each['kind']}/{each['metadata']['name']}": each["spec"]["template"]
            for each in self.manifests
            if each["kind"] in {"Deployment", "StatefulSet", "Job"}
        }

    def containers(self) -> Iterator[tuple[str, Manifest, Manifest]]:
        """Each container, those that run first included: whose it is, its pod's spec, its own."""
        for owner, template in self.pods().items():
            spec = template["spec"]
            for container in [*spec.get("initContainers", []), *spec["containers"]]:
                yield f"{owner}/{container['name']}", spec, container

    def settings(self) -> dict[str, str]:
        """The ConfigMap that all services have."""
        return next(each for name, each in self.kind("ConfigMap").items() if name.startswith("settings"))[
            "data"
        ]

    def environment(self, service: str) -> dict[str, str]:
        """What the process of a service finds in its environment."""
        (container,) = self.kind("Deployment")[service]["spec"]["template"]["spec"]["containers"]
        own = {each["name"]: each["value"] for each in container.get("env", [])}
        return {**self.settings(), **own}


def kubectl() -> str:
    """The program of the environment's own version, or whichever is on PATH."""
    own = Path(sys.executable).with_name("kubectl")
    found = str(own) if own.exists() else shutil.which("kubectl")
    return found or skip_or_fail("no kubectl, which renders the manifests: install the dev dependencies")


def copy_tree(target: Path) -> Path:
    """`deploy/k8s` as it is in a fresh clone, to be changed at will."""
    return Path(shutil.copytree(K8S, target, ignore=shutil.ignore_patterns("secrets", ".secrets.*")))


def make_secrets(tree: Path) -> None:
    subprocess.run([tree / "overlays" / "local" / "make-secrets"], check=True, capture_output=True)


def render(folder: Path) -> Rendered:
    """Raises `CalledProcessError` with kubectl's words where it can't be rendered."""
    done = subprocess.run([kubectl(), "kustomize", folder], check=True, capture_output=True, text=True)
    return Rendered(done.stdout, tuple(yaml.safe_load_all(done.stdout)))


def install(
    tool: str, command: Sequence[str | Path], *, needed: Path, environment: Mapping[str, str]
) -> Path:
    """A copy of `tests/k8s/tools/<tool>` in `.venv/tools`, after `command` ran there; a new lock, a new one.

    Skips where it can't be had, without a registry for instance.
    """
    source, target = ROOT / "tests" / "k8s" / "tools" / tool, ROOT / ".venv" / "tools" / tool
    locks = [name for name in ("uv.lock", "package-lock.json") if (source / name).exists()]
    wanted = b"".join((source / name).read_bytes() for name in locks)
    mark = target / ".installed"
    if not mark.exists() or mark.read_bytes() != wanted or not (target / needed).exists():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        try:
            done = subprocess.run(
                command,
                check=False,
                cwd=target,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                timeout=100,
            )
        except subprocess.TimeoutExpired:
            skip_or_fail(f"{tool} could not be installed in time")
        if done.returncode:
            skip_or_fail(f"{tool} can't be installed: {done.stderr.strip()[-300:]}")
        mark.write_bytes(wanted)
    shutil.copytree(source, target, dirs_exist_ok=True)
    return target
