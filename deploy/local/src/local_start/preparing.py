"""The commands that prepare the databases, without a start."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from local_start.console import Teller
from local_start.datadir import DataDir
from local_start.part import Part
from local_start.plan import make_plan
from local_start.services import Service, System
from local_start.settings import Settings, read, read_ports
from local_start.supervisor import migrate, prepare

_UNUSED = "redis://127.0.0.1"  # a migration asks no Redis


def migrate_all(system: System, teller: Teller) -> None:
    """Brings every database to its newest tables; those that are there already are left alone."""
    _each(system.services, teller, migrate, "migrate", "is migrated")


def seed_all(system: System, teller: Teller) -> None:
    """Migrates the services that have something to seed, and seeds it; what is there is left alone."""
    seeding = [service for service in system.services if service.seed]
    _each(seeding, teller, prepare, "seed", "has its templates")


def _each(
    services: list[Service] | tuple[Service, ...],
    teller: Teller,
    work: Callable[[Part, Path], Coroutine[Any, Any, None]],
    log: str,
    done: str,
) -> None:
    settings, ports = read(Settings), read_ports(services)
    data = DataDir(settings.data_dir)
    data.prepare()
    for part in make_plan(settings, data, services, ports, redis_url=_UNUSED).services:
        with teller.waiting(f"{part.name}: {log}"):
            asyncio.run(work(part, data.new_log(f"{part.name}-{log}")))
        teller.good(f"{part.name} {done}")
