"""What stands in for the world around a shop: the payment provider, the mail server."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from local_start.datadir import DataDir
from local_start.part import HOST, Part, local_url, python
from local_start.probes import service_is_ready
from local_start.services import StandIn, port_variable, smtp, url_variable


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The processes that stand in, and what the services are told of them; neither is secret."""

    parts: tuple[Part, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict[str, str])


def make_surroundings(stand_ins: Iterable[StandIn], ports: Mapping[str, int], data: DataDir) -> Surroundings:
    """The processes for these stand-ins, each with a place of its own in the data directory."""
    chosen = tuple(stand_ins)
    told: dict[str, str] = {}
    for stand_in in chosen:
        told[url_variable(stand_in.module)] = local_url(ports[stand_in.module])
        if stand_in.smtp_port is not None:
            told |= {"SMTP_HOST": HOST, "SMTP_PORT": str(ports[smtp(stand_in.module)])}
    return Surroundings(tuple(_part(stand_in, ports, data) for stand_in in chosen), told)


def _part(stand_in: StandIn, ports: Mapping[str, int], data: DataDir) -> Part:
    url = local_url(ports[stand_in.module])
    own = {port_variable(key): ports[key] for key in stand_in.ports}
    return Part(
        name=stand_in.name,
        command=python(stand_in.module),
        ports=own,
        ready=service_is_ready(url),
        log=stand_in.name,
        url=url,
        environment={
            **os.environ,
            "HOST": HOST,
            "PYTHONUNBUFFERED": "1",
            stand_in.keeps_in: str(data.stand_in(stand_in.module)),
            **{variable: str(port) for variable, port in own.items()},
        },
    )
