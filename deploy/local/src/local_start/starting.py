"""The commands that start something: what must hold before, what is told after."""

import asyncio
import os
import time
from collections.abc import Sequence
from datetime import timedelta

from local_start.console import Teller
from local_start.datadir import DataDir
from local_start.errors import LocalStartError
from local_start.identity import ProcessId
from local_start.plan import Plan, make_plan, ports_beside, refuse_taken_ports
from local_start.probes import probing_client, service_is_ready
from local_start.record import Kind, Phase, Record, Run, gateway_address, read_system
from local_start.services import Service
from local_start.settings import Client, Settings, read, read_ports
from local_start.stopping import clear_away_leftovers
from local_start.supervisor import Limits, Supervisor, migrate
from local_start.welcome import welcome

_POLL = 0.1  # seconds


def start_system(services: Sequence[Service], teller: Teller) -> None:
    """Runs the whole system until it is told to stop; says so and returns where it runs already.

    Raises:
        LocalStartError: it can't be started; then nothing of it runs.
    """
    settings, ports = read(Settings), read_ports(services)
    data = DataDir(settings.data_dir)
    data.prepare()
    with data.only_one() as alone:
        if not alone:
            tell_it_runs(data, settings, teller)
            return
        wanted = [service for service in services if settings.workers_enabled or not service.worker]
        plan = make_plan(settings, data, wanted, ports, redis_url=settings.external_redis)
        if not settings.workers_enabled:
            teller.note("QUEUE_WORKERS_ENABLED is false: no worker is started")
        _run_alone(Kind.SYSTEM, plan, data, settings, teller)


def start_workers(services: Sequence[Service], teller: Teller) -> None:
    """Runs the workers alone: on the user's Redis, else on that of the system that runs here, else an own.

    Beside a running system they take free ports and share its databases.

    Raises:
        LocalStartError: they can't be started; then none of them runs.
    """
    settings, ports = read(Settings), read_ports(services)
    workers = [service for service in services if service.worker]
    data = DataDir(settings.data_dir)
    data.prepare()
    gateway_url = gateway_address(data, read(Client))
    if not settings.workers_enabled:
        teller.note("QUEUE_WORKERS_ENABLED is false: the workers are up and consume nothing")
    with data.only_one() as alone:
        if alone:
            redis_url = settings.external_redis
            plan = make_plan(settings, data, workers, ports, redis_url=redis_url, gateway_url=gateway_url)
            _run_alone(Kind.WORKERS, plan, data, settings, teller)
            return
        running = _running(data)
        plan = make_plan(
            settings,
            data,
            workers,
            ports_beside(ports),
            redis_url=settings.external_redis or _redis_of(running),
            gateway_url=gateway_url,
            beside=True,
        )
        record = Record.of_more_workers(data, _new_run(Kind.WORKERS, plan))
        _run(plan, data, record, settings, teller)


def migrate_all(services: Sequence[Service], teller: Teller) -> None:
    """Brings every database to its newest tables; those that are there already are left alone."""
    settings, ports = read(Settings), read_ports(services)
    data = DataDir(settings.data_dir)
    data.prepare()
    unused = "redis://127.0.0.1"  # a migration asks no Redis
    for part in make_plan(settings, data, services, ports, redis_url=unused).services:
        with teller.waiting(f"migrating {part.name}"):
            asyncio.run(migrate(part, data.new_log(f"{part.name}-migrate")))
        teller.good(f"{part.name} is migrated")


def tell_it_runs(data: DataDir, settings: Settings, teller: Teller) -> None:
    """Waits until the system that runs here is healthy, and says so.

    Raises:
        LocalStartError: it does not become healthy in time, is stopping, or is no whole system.
    """
    deadline = time.monotonic() + settings.start_seconds
    with teller.waiting("waiting for the running system"):
        while True:
            run = _running(data)
            if run.kind is Kind.WORKERS:
                raise LocalStartError("only workers run here (`queue start`): `queue down` stops them first")
            if run.phase is Phase.STOPPING:
                raise LocalStartError("the system is just being stopped: try again when it is down")
            lacks = asyncio.run(_lacks(run)) if run.phase is Phase.HEALTHY else "it is still starting"
            if lacks is None:
                break
            if time.monotonic() > deadline:
                raise LocalStartError(f"the system runs already and is not healthy: {lacks}; see {data.logs}")
            time.sleep(_POLL)
    teller.good(f"the system is already running (healthy)  {run.urls.get('gateway', '')}")


def _run_alone(kind: Kind, plan: Plan, data: DataDir, settings: Settings, teller: Teller) -> None:
    if clear_away_leftovers(data, settings.grace):
        teller.note("cleared away what a killed start had left running")
    refuse_taken_ports(plan.parts)
    if settings.external_redis:
        from local_start.external import refuse_silent_redis  # noqa: PLC0415 - loads a client that few need

        refuse_silent_redis(settings.external_redis)
    record = Record.of_the_system(data, _new_run(kind, plan))
    _run(plan, data, record, settings, teller)


def _run(plan: Plan, data: DataDir, record: Record, settings: Settings, teller: Teller) -> None:
    limits = Limits(grace=settings.grace, start=timedelta(seconds=settings.start_seconds))
    supervisor = Supervisor(plan, data, record, teller, limits)
    try:
        asyncio.run(supervisor.run(lambda: welcome(plan, data, teller)))
    finally:
        record.remove()


def _new_run(kind: Kind, plan: Plan) -> Run:
    me = ProcessId.of(os.getpid())
    if me is None:
        raise LocalStartError("this machine does not tell when a process was started")
    return Run(
        kind,
        me,
        valkey_port=plan.valkey.port if plan.valkey else None,
        urls={part.name: part.url for part in plan.services if part.url},
    )


def _running(data: DataDir) -> Run:
    """The run that holds the lock, which writes its record a moment after it took it."""
    for _ in range(50):
        run = read_system(data)
        if run is not None and run.supervisor.is_alive():
            return run
        time.sleep(_POLL)
    raise LocalStartError(f"another command is at work on {data.root}: try again")


def _redis_of(run: Run) -> str:
    if run.valkey_port is None:
        raise LocalStartError("the running system uses a Redis of yours: set REDIS_URL to the same")
    return f"redis://127.0.0.1:{run.valkey_port}/0"


async def _lacks(run: Run) -> str | None:
    async with probing_client() as client:
        for name, url in run.urls.items():
            lacks = await service_is_ready(url)(client)
            if lacks is not None:
                return f"{name} {lacks}"
    return None
