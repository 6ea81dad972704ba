"""The services of a local start, in the order in which they are started. A new one is a line."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """One service: `python -m <module>` serves it on `port`, `python -m <module> migrate` its tables.

    The names of its settings follow from the module: `order_worker` listens on
    `ORDER_WORKER_PORT` and is found at `ORDER_WORKER_URL`.
    """

    module: str
    port: int
    worker: bool = True

    @property
    def name(self) -> str:
        return self.module.replace("_", "-")

    @property
    def port_variable(self) -> str:
        return f"{self.module.upper()}_PORT"

    @property
    def url_variable(self) -> str:
        return f"{self.module.upper()}_URL"


SERVICES = (
    Service("gateway", 8000, worker=False),
    Service("order_worker", 8001),
    Service("inventory_worker", 8003),
)
