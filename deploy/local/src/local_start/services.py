"""What a local start runs, in the order in which it is started. A new service is a line."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """One service: `python -m <module>` serves it on `port`, `python -m <module> migrate` its tables.

    The names of its settings follow from the module: `order_worker` listens on
    `ORDER_WORKER_PORT` and is found at `ORDER_WORKER_URL`. `seed` is one more word for `python -m
    <module>`: it fills the tables with what everybody needs, and changes nothing that is there.
    """

    module: str
    port: int
    worker: bool = True
    seed: str | None = None

    @property
    def name(self) -> str:
        return _name(self.module)

    @property
    def ports(self) -> Mapping[str, int]:
        return {self.module: self.port}

    @property
    def port_variable(self) -> str:
        return port_variable(self.module)

    @property
    def url_variable(self) -> str:
        return url_variable(self.module)


@dataclass(frozen=True, slots=True)
class StandIn:
    """Stands in for what a shop has elsewhere: `python -m <module>`, unless `instead_of` is set.

    Workers find it at `<MODULE>_URL`; one with an `smtp_port` takes mail there, and is their SMTP server.
    The variable `keeps_in` says where it keeps what has to survive it.
    """

    module: str
    port: int
    instead_of: str
    keeps_in: str
    smtp_port: int | None = None

    @property
    def name(self) -> str:
        return _name(self.module)

    @property
    def ports(self) -> Mapping[str, int]:
        mail = {} if self.smtp_port is None else {smtp(self.module): self.smtp_port}
        return {self.module: self.port, **mail}


@dataclass(frozen=True, slots=True)
class System:
    """The services, and what stands in for the world around them."""

    services: tuple[Service, ...]
    stand_ins: tuple[StandIn, ...] = ()


def port_variable(key: str) -> str:
    return f"{key.upper()}_PORT"


def url_variable(module: str) -> str:
    return f"{module.upper()}_URL"


def smtp(module: str) -> str:
    """The key of a stand-in's port for mail."""
    return f"{module}_smtp"


def _name(module: str) -> str:
    return module.replace("_", "-")


SYSTEM = System(
    services=(
        Service("gateway", 8000, worker=False),
        Service("order_worker", 8001),
        Service("payment_worker", 8002),
        Service("inventory_worker", 8003),
        Service("notification_worker", 8004, seed="seed-templates"),
    ),
    stand_ins=(
        StandIn(
            "payment_sandbox", 8010, instead_of="PAYMENT_SANDBOX_URL", keeps_in="PAYMENT_SANDBOX_DATABASE"
        ),
        StandIn("mail_sink", 8025, instead_of="SMTP_HOST", keeps_in="MAIL_SINK_DIR", smtp_port=1025),
    ),
)
