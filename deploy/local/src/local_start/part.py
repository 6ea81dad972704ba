"""One process of a start."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from local_start.probes import Probe

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Part:
    """One process of a start.

    `ports` are those that it listens on, by the variables that change them. `log` names its log file;
    `url` is None where it speaks no HTTP. `migrate` and `seed` are commands that prepare its database.
    """

    name: str
    command: tuple[str, ...]
    ports: Mapping[str, int]
    ready: Probe
    log: str
    url: str | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    migrate: tuple[str, ...] | None = None
    seed: tuple[str, ...] | None = None

    @property
    def address(self) -> str:
        """Where a person finds it."""
        return self.url or f"port {next(iter(self.ports.values()))}"


def python(module: str) -> tuple[str, ...]:
    """The command that runs a module of ours; -P: and no module of the working directory."""
    return (sys.executable, "-P", "-m", module)


def local_url(port: int) -> str:
    return f"http://{HOST}:{port}"
