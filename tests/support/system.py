"""The whole system as real processes, for one test: it may kill, stop and freeze any of them.

with System(tmp_path) as system:
    system.client().publish(order("1"))
    system.service("order-worker").kill9()
    system.settle()
"""

import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from uuid import uuid4

import httpx
import psycopg
from psycopg.sql import SQL, Identifier

from support.faults import FILE_SETTING, Faults
from support.faults_client import Client
from support.faults_worker import STARTS_SETTING
from support.forked import Forked
from support.ports import free_port
from support.postgres import PostgresServer
from support.processes import Process
from support.redis_server import RedisServer
from support.waiting import until

KEY = "an-admin-key-of-a-test"
SERVICE_KEY = "a-service-key-of-a-test"
ODD_WORKER = "notification-worker"
"""The worker of `support.faults_worker`, in the place of the one that sends notifications."""

QUEUES = {
    "order-worker": "orders",
    "payment-worker": "payments",
    "inventory-worker": "inventory",
    "notification-worker": "notifications",
}
SANDBOX, SINK = "payment-sandbox", "mail-sink"
"""What the workers call: beside the system, and no part of it."""
OK = 200
HOPELESS = 5
"""Whoever died so often before it was ready will not be."""
_TESTS = Path(__file__).parents[1]


class Running(Protocol):
    """A process, forked or started."""

    @property
    def pid(self) -> int: ...
    @property
    def is_running(self) -> bool: ...
    def output(self) -> str: ...
    def send(self, number: signal.Signals) -> None: ...
    def wait(self, within: float = 10.0) -> int: ...
    def kill9(self) -> None: ...
    def end(self) -> None: ...


class Service:
    """One replica of a service, started again whenever it ends, until it is stopped."""

    def __init__(self, kind: str, name: str, port: int, start: Callable[[], Running]) -> None:
        self.kind, self.name, self.port = kind, name, port
        self.url = f"http://127.0.0.1:{port}"
        self.deaths = 0
        """How often it ended without being told to, or was killed."""
        self.process: Running | None = None
        self._start = start
        self._lock = threading.Lock()
        self._wanted = False

    def start(self) -> None:
        with self._lock:
            self._wanted = True
            self.process = self._start()

    def keep(self) -> None:
        """Starts it again if it has ended and is wanted."""
        with self._lock:
            if self._wanted and self.process and not self.process.is_running:
                self.process.end()
                self.deaths += 1
                self.process = self._start()

    def kill9(self) -> None:
        """A crash; it is started again."""
        with self._lock:
            if self.process:
                self.process.kill9()

    def stop(self, within: float = 30.0) -> int:
        """SIGTERM; returns its exit code once it has ended, and leaves it stopped."""
        with self._lock:
            self._wanted = False
            process = self._running()
        process.send(signal.SIGTERM)
        code = process.wait(within)
        process.end()
        return code

    def crash(self) -> None:
        """SIGKILL, and it stays away."""
        with self._lock:
            self._wanted = False
            self._running().end()

    def restart(self) -> int:
        """As a rolling restart does: SIGTERM, its end, a new one. Returns the exit code of the old one."""
        code = self.stop()
        self.start()
        return code

    def freeze(self) -> None:
        self._running().send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._running().send(signal.SIGCONT)

    def end(self) -> None:
        with self._lock:
            self._wanted = False
            if self.process:
                self.process.end()

    @property
    def is_ready(self) -> bool:
        return self.answer("/readyz") == OK

    @property
    def is_alive(self) -> bool:
        return self.answer("/livez") == OK

    def answer(self, path: str) -> int | None:
        """The status of a GET; None where nothing answers within 5 s."""
        try:
            return httpx.get(self.url + path, timeout=5, trust_env=False).status_code
        except httpx.HTTPError:
            return None

    def _running(self) -> Running:
        assert self.process is not None, f"{self.name} was never started"
        return self.process


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a system is made of."""

    gateways: int = 1
    orders: int = 1
    payments: int = 0
    """With them a sandbox of the payment provider."""
    inventories: int = 1
    notifications: int = 0
    """With them a mail sink."""
    odd: int = 0
    """Workers of `support.faults_worker` in the place of those that send notifications."""
    lease: float | None = 1.0
    """In seconds; None leaves every setting at its default."""
    concurrency: int | None = None
    faults: bool = False
    """Whether `support.faults` may arm points in the processes."""
    forked: bool = True
    """False starts `python -m …`, which takes two seconds of CPU each."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    def replicas(self) -> Iterator[tuple[str, str]]:
        """Kind and name of each; the first of a kind is named like it."""
        counts = {
            "gateway": self.gateways,
            SANDBOX: int(self.payments > 0),
            SINK: int(self.notifications > 0),
            "order-worker": self.orders,
            "payment-worker": self.payments,
            "inventory-worker": self.inventories,
            "notification-worker": self.notifications or self.odd,
        }
        for kind, count in counts.items():
            for number in range(1, count + 1):
                yield kind, kind if number == 1 else f"{kind}-{number}"

    def module(self, kind: str) -> str:
        """What a process of this kind runs."""
        if kind == ODD_WORKER and self.odd:
            return "support.faults_worker"
        return f"{kind.replace('-', '_')}.__main__"


MOODS = {
    "SANDBOX_TIMEOUT_SHARE": "0.1",
    "SANDBOX_ERROR_SHARE": "0.05",
    "SANDBOX_SLOW_SHARE": "0.05",
    "PAYMENT_PROVIDER_SECONDS": "1",
    "SMTP_SECONDS": "3",
}
"""A provider that does not answer after charging, errs, and is slower than we wait."""


class System:
    """Valkey with an AOF, the migrated databases, and the processes of a `Shape`, in one directory.

    SQLite files, or databases of their own on the given PostgreSQL server. Leaving the context ends all.
    """

    def __init__(
        self, directory: Path, shape: Shape | None = None, *, postgres: PostgresServer | None = None
    ) -> None:
        self.directory = directory
        self.shape = shape or Shape()
        self.postgres = postgres
        self._kinds = sorted({kind for kind, _ in self.shape.replicas()})
        self.redis_directory = directory / "valkey"
        self.redis_directory.mkdir()
        self.redis = RedisServer(self.redis_directory, aof=True)
        self.starts_file = directory / "starts"
        self.databases = {
            kind: self._database(kind) for kind in self._kinds if kind == "gateway" or kind in QUEUES
        }
        self.ports = {name: free_port() for _, name in self.shape.replicas()}
        self.smtp_port = free_port()
        self.services = {
            name: Service(kind, name, self.ports[name], self._starter(kind, name))
            for kind, name in self.shape.replicas()
        }
        self._done = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that somebody works off here."""
        return tuple(queue for kind, queue in QUEUES.items() if kind in self._kinds)

    def service(self, name: str) -> Service:
        return self.services[name]

    def workers(self) -> list[Service]:
        return [service for service in self.services.values() if service.kind in QUEUES]

    def own(self) -> list[Service]:
        """The processes of the system itself: gateways and workers."""
        return [service for service in self.services.values() if service.kind in self.databases]

    def of_kind(self, kind: str) -> list[Service]:
        return [service for service in self.services.values() if service.kind == kind]

    def faults(self, name: str) -> Faults:
        return Faults(self.directory / f"{name}.faults")

    def client(self) -> Client:
        """A client of the gateways; it takes the next one where one is away."""
        return Client([service.url for service in self.of_kind("gateway")], KEY)

    def migrate(self) -> None:
        self._run_all(list(self.databases), "migrate")
        if self.shape.notifications:
            self._run_all(["notification-worker"], "seed-templates")

    def _run_all(self, kinds: Sequence[str], command: str) -> None:
        """Runs a command of each of these at once; raises AssertionError with what a failed one said."""
        jobs: list[Running] = [
            Forked(
                self.shape.module(kind),
                command,
                log=self.directory / f"{kind}-{command}.log",
                environment=self._environment(kind, kind),
                directory=self.directory,
            )
            for kind in kinds
        ]
        for job in jobs:
            assert job.wait(60) == 0, job.output()
            job.end()

    def start(self, *, redis: bool = True) -> None:
        """Migrates, and starts all processes; does not wait for them."""
        if redis:
            self.redis.start()
        self.migrate()
        for service in self.services.values():
            service.start()
        self._keeper.start()

    def wait_until_ready(self, within: float = 60.0) -> None:
        """Raises AssertionError with the end of a log of whoever is not."""
        for service in self.services.values():
            try:
                until(lambda service=service: service.is_ready or service.deaths > HOPELESS, within=within)
                assert service.deaths <= HOPELESS, f"{service.name} dies again and again"
            except AssertionError as error:
                raise AssertionError(
                    f"{service.name} is not ready: {self.log(service.name)[-3000:]}"
                ) from error

    def deaths(self) -> dict[str, int]:
        """How often each replica was killed, or ended by itself."""
        return {name: service.deaths for name, service in self.services.items() if service.deaths}

    def log(self, name: str) -> str:
        """All that the processes of this replica said."""
        return (self.directory / f"{name}.log").read_text(errors="replace")

    @contextmanager
    def gone(self, name: str) -> Generator[None]:
        """Without this replica for a while: crashed, and then started again."""
        self.service(name).crash()
        yield
        self.service(name).start()

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_until_ready()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        self._done.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for service in self.services.values():
            service.end()
        self.redis.__exit__(None, None, None)

    def _keep(self) -> None:
        while not self._done.wait(0.05):
            for service in self.services.values():
                service.keep()

    def _database(self, kind: str) -> str:
        if self.postgres is None:
            return f"sqlite:///{self.directory / kind}.db"
        name = f"{kind.replace('-', '_')}_{uuid4().hex[:12]}"
        with psycopg.connect(self.postgres.databases.admin_url, autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {} TEMPLATE template0").format(Identifier(name)))
        return self.postgres.databases.admin_url.rpartition("/")[0] + f"/{name}"

    def _starter(self, kind: str, name: str) -> Callable[[], Running]:
        log, environment = self.directory / f"{name}.log", self._environment(kind, name)
        if self.shape.forked:
            module = self.shape.module(kind)
            return lambda: Forked(module, log=log, environment=environment, directory=self.directory)
        command = [sys.executable, "-m", self.shape.module(kind).removesuffix(".__main__")]
        return lambda: Process(command, log=log, environment=environment, directory=self.directory)

    def _environment(self, kind: str, name: str) -> dict[str, str]:
        """What a process is told, and nothing of the environment of the tests but what it runs by."""
        ports = {k: self.ports[k] for k in self._kinds if k != kind}
        told = {
            "PYTHONPATH": str(_TESTS),
            "QUEUE_SERVICE_KEY": SERVICE_KEY,
            "QUEUE_ADMIN_KEY": KEY,
            "DATABASE_URL": self.databases.get(kind, ""),
            "REDIS_URL": self.redis.url,
            "LOG_FORMAT": "json",
            "SMTP_PORT": str(self.smtp_port),
            "MAIL_SINK_SMTP_PORT": str(self.smtp_port),
            "MAIL_SINK_DIR": str(self.directory / "mail"),
            "PAYMENT_SANDBOX_DATABASE": str(self.directory / "sandbox.db"),
            STARTS_SETTING: str(self.starts_file),
            f"{kind.upper().replace('-', '_')}_PORT": str(self.ports[name]),
            **{f"{k.upper().replace('-', '_')}_URL": f"http://127.0.0.1:{port}" for k, port in ports.items()},
        }
        if self.shape.lease is not None:
            told |= {"QUEUE_LEASE_SECONDS": str(self.shape.lease), "QUEUE_GRACE_SECONDS": "8"}
        if self.shape.concurrency is not None:
            told["QUEUE_CONCURRENCY"] = str(self.shape.concurrency)
        if self.shape.faults:
            told[FILE_SETTING] = str(self.directory / f"{name}.faults")
        return {"PATH": "/usr/bin:/bin", **told, **self.shape.settings}
