"""A server with a user for each service, by TLS where the program can."""

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from support.missing import skip_or_fail
from support.redis_server import RedisServer, redis_binary

DEPLOY = Path(__file__).parents[2] / "deploy" / "redis"


def tls_binary() -> Path:
    """Debian's `redis-server` speaks TLS; the embedded Valkey is built without."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return Path(found) if found else skip_or_fail("no redis-server that speaks TLS: install redis-server")


class GuardedServer(RedisServer):
    """As in production: `deploy/redis` with its users, its AOF, and if wanted its TLS."""

    def __init__(self, directory: Path, *, tls: bool) -> None:
        super().__init__(directory)
        self.tls = tls
        self._passwords = directory / "passwords"
        self._certificates = directory / "tls"
        users = directory / "users.acl"
        users.write_text(make_users(self._passwords))
        options: dict[str, Any] = {"bind": "127.0.0.1", "dir": directory}
        if tls:
            make_certificates(self._certificates)
            options |= {**_files(self._certificates), "tls-port": self.port}
        else:
            options |= {"port": self.port}
        options |= {"aclfile": users}
        includes = [DEPLOY / "server.conf", *([DEPLOY / "tls.conf"] if tls else [])]
        lines = [f"include {file}" for file in includes] + [f"{k} {v}" for k, v in options.items()]
        configuration = directory / "server.conf"
        configuration.write_text("\n".join(lines) + "\n")
        self._command = [str(tls_binary() if tls else redis_binary()), str(configuration)]
        self.url = self.url_of("admin")

    def url_of(self, user: str) -> str:
        """What the service of this name is told as `REDIS_URL`."""
        scheme, query = ("rediss", f"?ssl_ca_certs={self._authority}") if self.tls else ("redis", "")
        return f"{scheme}://{user}:{self._password(user)}@127.0.0.1:{self.port}/0{query}"

    def client(self, user: str = "admin") -> Redis:
        options: dict[str, Any] = {"ssl": True, "ssl_ca_certs": str(self._authority)} if self.tls else {}
        return Redis(
            host="127.0.0.1",
            port=self.port,
            username=user,
            password=self._password(user),
            retry=Retry(NoBackoff(), 0),
            socket_timeout=5,
            **options,
        )

    def refusals(self) -> list[str]:
        """What the server refused so far, a line each, newest first."""
        with self.client() as client:
            entries = cast("list[dict[str, Any]]", client.acl_log())
            return [f"{entry['username']}: {entry['reason']} {entry['object']}" for entry in entries]

    def forget_refusals(self) -> None:
        with self.client() as client:
            client.acl_log_reset()

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self._authority))

    @property
    def _authority(self) -> Path:
        return self._certificates / "ca.crt"

    def _password(self, user: str) -> str:
        return (self._passwords / f"{user}.password").read_text()


def make_users(passwords: Path) -> str:
    """The text of `users.acl`; makes the passwords in this directory."""
    return _run(DEPLOY / "make-users.sh", passwords)


def make_certificates(directory: Path) -> None:
    """An authority, and a certificate of this machine."""
    _run(DEPLOY / "make-test-certificates.sh", directory)


def tls_options(certificates: Path) -> dict[str, str]:
    """What `deploy/redis/sentinel.conf` and `tls.conf` say, with these certificates, but for the port."""
    lines = (DEPLOY / "sentinel.conf").read_text().splitlines()
    settings = dict(line.removeprefix("# ").split(maxsplit=1) for line in lines if line.startswith("# tls-"))
    del settings["tls-port"]
    return settings | _files(certificates)


def _files(certificates: Path) -> dict[str, str]:
    names = {"cert-file": "server.crt", "key-file": "server.key", "ca-cert-file": "ca.crt"}
    return {f"tls-{name}": str(certificates / file) for name, file in names.items()}


def _run(program: Path, directory: Path) -> str:
    return subprocess.run([program, directory], check=True, capture_output=True, text=True).stdout
