"""The system that runs here already, as another command finds it."""

import asyncio
import time

from local_start.console import Teller
from local_start.datadir import DataDir
from local_start.errors import LocalStartError
from local_start.probes import probing_client, service_is_ready
from local_start.record import Kind, Phase, Run, read_system
from local_start.settings import Settings

_POLL = 0.1  # seconds


def tell_it_runs(data: DataDir, settings: Settings, teller: Teller) -> Run:
    """Waits until the system that runs here is healthy, and says so.

    Raises:
        LocalStartError: it does not become healthy in time, is stopping, or is no whole system.
    """
    deadline = time.monotonic() + settings.start_seconds
    with teller.waiting("waiting for the running system"):
        while True:
            run = running(data)
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
    return run


def running(data: DataDir) -> Run:
    """The run that holds the lock, which writes its record a moment after it took it."""
    for _ in range(50):
        run = read_system(data)
        if run is not None and run.supervisor.is_alive():
            return run
        time.sleep(_POLL)
    raise LocalStartError(f"another command is at work on {data.root}: try again")


def redis_of(run: Run) -> str:
    """The URL of its own Valkey. Raises LocalStartError where it uses one of the user's."""
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
