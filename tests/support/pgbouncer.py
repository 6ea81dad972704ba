"""A PgBouncer in front of a PostgreSQL server, in the mode in which it gives a server to each transaction."""

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from support.databases import Databases
from support.directories import directory_for
from support.missing import skip_or_fail
from support.ports import free_port
from support.processes import Process
from support.waiting import until

SERVERS = 4
"""How many connections it has to each database: fewer than its clients have to it."""


def pgbouncer_binary() -> Path:
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    return Path(found) if found else skip_or_fail("no pgbouncer: install pgbouncer")


class PgBouncer:
    """In front of the server of `admin_url`, whose users need no password. It refuses to run as root."""

    def __init__(self, admin_url: str) -> None:
        self.port = free_port()
        self._server = urlsplit(admin_url)
        self._user = "nobody" if os.geteuid() == 0 else None
        self._program = pgbouncer_binary()
        self._home = directory_for(self._user)
        self._process: Process | None = None

    def url_of(self, url: str) -> str:
        """The same database, by way of the pooler."""
        parts = urlsplit(url)
        login = f"{parts.username}@" if parts.username else ""
        return urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{self.port}", query="pgbouncer=true"))

    def start(self) -> None:
        file = self._home / "pgbouncer.ini"
        users = self._home / "users.txt"
        users.write_text(f'"{self._server.username}" ""\n')
        file.write_text(
            f"""
[databases]
* = host={self._server.hostname} port={self._server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = {SERVERS}
max_client_conn = 500
ignore_startup_parameters =
server_idle_timeout = 5
"""
        )
        log = self._home / "log"
        self._process = Process([self._program, file], log=log, directory=self._home, user=self._user)
        answering = self.url_of(urlunsplit(self._server)).partition("?")[0]
        until(lambda: self._has_ended() or Databases(answering).is_answering(), within=20)
        assert not self._has_ended(), self._process.output()

    def kill9(self) -> None:
        assert self._process
        self._process.kill9()

    def restart(self) -> None:
        if self._process:
            self._process.end()
        self.start()

    def _has_ended(self) -> bool:
        return self._process is None or not self._process.is_running

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.end()
        shutil.rmtree(self._home, ignore_errors=True)
