"""A real PostgreSQL server that a test may crash and restart."""

import os
import shutil
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from support.databases import Databases
from support.directories import directory_for
from support.ports import free_port
from support.postgres_programs import postgres_programs
from support.processes import Process
from support.waiting import until


class PostgresServer:
    """A server with its data in a temporary directory, on a port that it keeps through every restart.

    What was committed survives a crash of the server; with `fsync` it is on the disk as well, as it is
    in production. PostgreSQL refuses to run as root, so root runs it as `nobody`.
    """

    def __init__(self, *, fsync: bool = False) -> None:
        self.port = free_port()
        self.databases = Databases(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")
        self._user = "nobody" if os.geteuid() == 0 else None
        self._programs = postgres_programs(self._user)
        self._home = directory_for(self._user, in_memory=not fsync)
        self._settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "on" if fsync else "off",
            "max_wal_size": "128MB",
            "dynamic_shared_memory_type": "mmap",  # in the directory, so that it goes with it
            "full_page_writes": "on" if fsync else "off",
        }
        self._process: Process | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.is_running

    def start(self) -> None:
        """Returns once the server answers. Raises AssertionError with its log if it does not within 20 s."""
        assert not self.is_running, "this server is running"
        if self._process is None:
            self._initialise()
        else:
            self._process.end()
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        self._process = self._run("postgres", "-D", self._data, *settings)
        until(lambda: not self.is_running or self.databases.is_answering(), within=20)
        assert self.is_running, self._process.output()

    def stop(self) -> None:
        """Shuts the server down in order, without waiting for its clients."""
        self._started().stop(by=signal.SIGINT, within=30)

    def crash(self) -> None:
        """Ends the server and its connections at once; the next start recovers from the log.

        Not by SIGKILL, whose orphaned processes would keep the next start waiting.
        """
        self._started().stop(by=signal.SIGQUIT)

    def restart(self) -> None:
        """Shuts the server down in order if it runs, and starts it again on the same port and data."""
        if self.is_running:
            self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.is_running:
                self.crash()  # the quickest end that leaves no process; its data is thrown away
        finally:
            if self._process is not None:
                self._process.end()
            shutil.rmtree(self._home, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _initialise(self) -> None:
        flags = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        with self._run("initdb", "-D", self._data, *flags) as initdb:
            assert initdb.wait(within=60) == 0, initdb.output()

    def _run(self, program: str, *arguments: str | Path) -> Process:
        log = self._home / "log"
        return Process([self._programs / program, *arguments], log=log, directory=self._home, user=self._user)

    def _started(self) -> Process:
        assert self._process is not None, "this server was never started"
        return self._process
