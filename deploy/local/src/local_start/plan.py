"""What a start runs: every part with its command, its environment and how it is known to work."""

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from local_start.datadir import DataDir
from local_start.errors import BadSettingError, LocalStartError
from local_start.part import HOST, Part, local_url, python
from local_start.probes import service_is_ready, valkey_answers
from local_start.services import Service
from local_start.settings import Settings
from local_start.surroundings import Surroundings
from local_start.valkey import find_server, server_command

_OURS = {
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_PASSWORD",
    "REDIS_PASSWORD_FILE",
    "REDIS_URL_FILE",
    "QUEUE_ADMIN_KEY",
    "QUEUE_SERVICE_KEY",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts in the order of their start; `valkey` is None where the user's Redis is used."""

    valkey: Part | None
    surroundings: Surroundings
    gateway: Part | None
    workers: tuple[Part, ...]

    @property
    def services(self) -> tuple[Part, ...]:
        return (*([self.gateway] if self.gateway else []), *self.workers)

    @property
    def parts(self) -> tuple[Part, ...]:
        return (*([self.valkey] if self.valkey else []), *self.surroundings.parts, *self.services)


def make_plan(
    settings: Settings,
    data: DataDir,
    services: Iterable[Service],
    ports: Mapping[str, int],
    *,
    redis_url: str | None,
    surroundings: Surroundings | None = None,
    gateway_url: str | None = None,
    beside: bool = False,
) -> Plan:
    """The plan for these services; with an own Valkey where there is no `redis_url`.

    `surroundings` are what they find around them; `gateway_url` is where workers without a gateway of their
    own find one. Services `beside` those of a running start write to logs of their own, named after their
    ports.

    Raises:
        LocalStartError: no Valkey can be found.
    """
    valkey = None if redis_url else _valkey_part(settings, data)
    surroundings = surroundings or Surroundings()
    urls = {service.url_variable: local_url(ports[service.module]) for service in services}
    if gateway_url:
        urls["GATEWAY_URL"] = gateway_url
    shared = {
        **{name: value for name, value in os.environ.items() if not _is_decided_here(name)},
        "HOST": HOST,
        "REDIS_URL": redis_url or f"redis://{HOST}:{settings.valkey_port}/0",
        "QUEUE_SERVICE_KEY_FILE": str(data.service_key),
        "PYTHONUNBUFFERED": "1",
        **surroundings.told,
        **urls,
    }
    parts = {
        service: _service_part(service, ports[service.module], shared, data, beside=beside)
        for service in services
    }
    gateways = [part for service, part in parts.items() if not service.worker]
    return Plan(
        valkey=valkey,
        surroundings=surroundings,
        gateway=gateways[0] if gateways else None,
        workers=tuple(part for service, part in parts.items() if service.worker),
    )


def refuse_taken_ports(parts: Sequence[Part]) -> None:
    """Leaves nothing to start where a port is used twice or by somebody else.

    Raises:
        BadSettingError: two parts want one port.
        LocalStartError: something listens on a port.
    """
    wanted: dict[int, str] = {}
    for variable, port in [each for part in parts for each in part.ports.items()]:
        if port in wanted:
            raise BadSettingError(f"{wanted[port]} and {variable} are both {port}")
        wanted[port] = variable
    for port, variable in wanted.items():
        if _is_taken(port):
            raise LocalStartError(
                f"port {port} is in use: stop what listens there, or set {variable} to another port"
            )


def ports_beside(ports: Mapping[str, int]) -> Mapping[str, int]:
    """For each service a free port that is easy to know again: 8101, 8201, … for 8001.

    Not one that the kernel picks: it also gives those to outgoing connections, while a service that died
    has to find its port free.

    Raises:
        LocalStartError: none is free.
    """
    return {module: _first_free(range(port + 100, 65_536, 100)) for module, port in ports.items()}


def _is_decided_here(variable: str) -> bool:
    """A worker's URL tells the gateway that it runs: only the workers of this start do."""
    return variable in _OURS or variable.endswith("_WORKER_URL")


def _valkey_part(settings: Settings, data: DataDir) -> Part:
    return Part(
        name="valkey",
        command=server_command(find_server(), port=settings.valkey_port, directory=data.valkey),
        ports={"QUEUE_REDIS_PORT": settings.valkey_port},
        ready=valkey_answers(settings.valkey_port),
        log="valkey",
    )


def _service_part(
    service: Service, port: int, shared: Mapping[str, str], data: DataDir, *, beside: bool
) -> Part:
    url, command = local_url(port), python(service.module)
    own = {
        service.port_variable: str(port),
        "DATABASE_URL": f"sqlite:///{data.database(service.module)}",
    }
    if not service.worker:
        own["QUEUE_ADMIN_KEY_FILE"] = str(data.api_key)
    return Part(
        name=service.name,
        command=command,
        ports={service.port_variable: port},
        ready=service_is_ready(url),
        log=f"{service.name}-{port}" if beside else service.name,
        url=url,
        environment={**shared, **own},
        migrate=(*command, "migrate"),
        seed=(*command, service.seed) if service.seed else None,
    )


def _is_taken(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return True
    with socket.socket() as caller:  # where a bind beside another's wildcard is allowed (macOS)
        caller.settimeout(0.5)
        return caller.connect_ex((HOST, port)) == 0


def _first_free(candidates: Iterable[int]) -> int:
    for port in candidates:
        if not _is_taken(port):
            return port
    raise LocalStartError("no port is free for more workers")
