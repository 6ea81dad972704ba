"""The commands that start something: what must hold before, what is told after."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from local_start.console import Teller
from local_start.datadir import DataDir
from local_start.errors import BadSettingError, LocalStartError
from local_start.identity import ProcessId
from local_start.plan import Plan, make_plan, ports_beside, refuse_taken_ports
from local_start.record import Kind, Record, Run, gateway_address
from local_start.running import redis_of, running, tell_it_runs
from local_start.services import System
from local_start.settings import Client, Settings, needed, read, read_ports
from local_start.stopping import clear_away_leftovers
from local_start.supervisor import Limits, Supervisor
from local_start.surroundings import Surroundings, make_surroundings
from local_start.welcome import welcome

Demo = Callable[[Run, DataDir], Coroutine[Any, Any, None]]
"""What is shown on a system that is up."""


def start_system(system: System, teller: Teller, demo: Demo | None = None) -> None:
    """Runs the whole system until it is told to stop; says so and returns where it runs already.

    The demo is shown once it is up, or on the system that runs already.

    Raises:
        LocalStartError: it can't be started, or the demo failed; then nothing of it runs.
    """
    settings, ports = read(Settings), read_ports([*system.services, *system.stand_ins])
    if demo is not None and not settings.workers_enabled:
        raise BadSettingError("QUEUE_WORKERS_ENABLED is false: without workers there is nothing to show")
    data = DataDir(settings.data_dir)
    data.prepare()
    with data.only_one() as alone:
        if not alone:
            run = tell_it_runs(data, settings, teller)
            if demo is not None:
                _show_on(run, demo, system, data, teller)
            return
        services, surroundings = system.services, make_surroundings(needed(system.stand_ins), ports, data)
        if not settings.workers_enabled:
            teller.note("QUEUE_WORKERS_ENABLED is false: no worker is started")
            services, surroundings = tuple(each for each in services if not each.worker), Surroundings()
        redis_url = settings.external_redis
        plan = make_plan(settings, data, services, ports, redis_url=redis_url, surroundings=surroundings)
        _run_alone(Kind.SYSTEM, plan, data, settings, teller, demo=demo)


def start_workers(system: System, teller: Teller) -> None:
    """Runs the workers alone: on the user's Redis, else on that of the system that runs here, else an own.

    Beside a running system they take free ports, and share its databases and its surroundings.

    Raises:
        LocalStartError: they can't be started; then none of them runs.
    """
    workers = tuple(service for service in system.services if service.worker)
    settings, ports = read(Settings), read_ports([*system.services, *system.stand_ins])
    data = DataDir(settings.data_dir)
    data.prepare()
    gateway_url = gateway_address(data, read(Client))
    if not settings.workers_enabled:
        teller.note("QUEUE_WORKERS_ENABLED is false: the workers are up and consume nothing")
    with data.only_one() as alone:
        if alone:
            plan = make_plan(
                settings,
                data,
                workers,
                ports,
                redis_url=settings.external_redis,
                surroundings=make_surroundings(needed(system.stand_ins), ports, data),
                gateway_url=gateway_url,
            )
            _run_alone(Kind.WORKERS, plan, data, settings, teller)
            return
        run = running(data)
        plan = make_plan(
            settings,
            data,
            workers,
            ports_beside({worker.module: ports[worker.module] for worker in workers}),
            redis_url=settings.external_redis or redis_of(run),
            surroundings=Surroundings(told=run.told),
            gateway_url=gateway_url,
            beside=True,
        )
        record = Record.of_more_workers(data, _new_run(Kind.WORKERS, plan))
        _run(plan, data, record, settings, teller)


def _show_on(run: Run, demo: Demo, system: System, data: DataDir, teller: Teller) -> None:
    missing = [service.name for service in system.services if service.name not in run.urls]
    if missing:
        raise LocalStartError(f"the system that runs here has no {missing[0]}: `queue down`, then again")
    asyncio.run(demo(run, data))
    teller.note("the system runs on: `make down` stops it")


def _run_alone(
    kind: Kind, plan: Plan, data: DataDir, settings: Settings, teller: Teller, *, demo: Demo | None = None
) -> None:
    if clear_away_leftovers(data, settings.grace):
        teller.note("cleared away what a killed start had left running")
    refuse_taken_ports(plan.parts)
    if settings.external_redis:
        from local_start.external import refuse_silent_redis  # noqa: PLC0415 - loads a client that few need

        refuse_silent_redis(settings.external_redis)
    record = Record.of_the_system(data, _new_run(kind, plan))
    _run(plan, data, record, settings, teller, demo=demo)


def _run(
    plan: Plan, data: DataDir, record: Record, settings: Settings, teller: Teller, *, demo: Demo | None = None
) -> None:
    limits = Limits(grace=settings.grace, start=timedelta(seconds=settings.start_seconds))
    supervisor = Supervisor(plan, data, record, teller, limits)

    def announce() -> None:
        if demo is None:
            welcome(plan, data, teller)

    async def story() -> None:
        if demo is not None:
            await demo(record.run, data)
            teller.good("all of it goes on until Ctrl-C, which stops it")

    try:
        asyncio.run(supervisor.run(announce, story))
    finally:
        record.remove()


def _new_run(kind: Kind, plan: Plan) -> Run:
    me = ProcessId.of(os.getpid())
    if me is None:
        raise LocalStartError("this machine does not tell when a process was started")
    return Run(
        kind,
        me,
        valkey_port=next(iter(plan.valkey.ports.values())) if plan.valkey else None,
        urls={part.name: part.url for part in plan.parts if part.url},
        told=dict(plan.surroundings.told),
    )
