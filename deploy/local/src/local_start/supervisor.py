"""Runs a plan: brings every part up in order, keeps it up, and takes all of it down again."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from local_start.child import Child, last_lines, spawn
from local_start.console import Says, Teller
from local_start.datadir import DataDir
from local_start.errors import LocalStartError
from local_start.identity import ProcessId
from local_start.part import Part
from local_start.plan import Plan
from local_start.probes import all_is_well, probing_client
from local_start.record import Phase, Record

Story = Callable[[], Coroutine[Any, Any, None]]
"""What happens on a system that is up; cut short by a stop."""

_POLL = 0.1  # seconds
_MARGIN = timedelta(seconds=2)  # a service that uses all of its grace still has to close
_SHORT = timedelta(seconds=5)  # for what only has to close
_SAME_CTRL_C = 0.5  # seconds: make and a terminal may both pass on one Ctrl-C


class Wishes:
    """What the signals ask for: SIGINT, SIGTERM or SIGHUP to stop, a second SIGINT to hurry."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        self._first = 0.0
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                loop.add_signal_handler(number, self._asked, number)

    def _asked(self, number: signal.Signals) -> None:
        now = asyncio.get_running_loop().time()
        if not self.stop.is_set():
            self._first = now
            self.stop.set()
        elif number == signal.SIGINT and now - self._first > _SAME_CTRL_C:
            self.hurry.set()


@dataclass(frozen=True, slots=True)
class Limits:
    grace: timedelta
    start: timedelta


class Supervisor:
    """One start, from the first process to the last."""

    def __init__(self, plan: Plan, data: DataDir, record: Record, teller: Teller, limits: Limits) -> None:
        self._plan = plan
        self._data = data
        self._record = record
        self._teller = teller
        self._limits = limits
        self._children: dict[str, Child] = {}

    async def run(self, announce: Callable[[], None], story: Story | None = None) -> None:
        """Returns after it was told to stop and nothing is left.

        Once all is healthy it announces that, and goes through the story.

        Raises:
            LocalStartError: not all of it became healthy, or the story failed; nothing is left then either.
        """
        wishes = Wishes()
        async with probing_client() as client:
            try:
                if await _unless(wishes.stop, self._bring_up(client)):
                    announce()
                    self._record.becomes(Phase.HEALTHY)
                    if story is None or await _unless(wishes.stop, story()):
                        await _unless(wishes.stop, self._watch())
            finally:
                await self._take_down(wishes.hurry)

    async def _bring_up(self, client: httpx.AsyncClient) -> None:
        limit = self._limits.start.total_seconds()
        deadline = asyncio.get_running_loop().time() + limit
        with self._teller.waiting("starting") as says:
            try:
                async with asyncio.timeout_at(deadline):
                    if self._plan.valkey:
                        says("starting Valkey")
                        self._data.new_log(self._plan.valkey.log)
                        self._start(self._plan.valkey, client)
                        await self._all_ready(says)
                    for part in self._plan.surroundings.parts:
                        self._data.new_log(part.log)
                        self._start(part, client)
                    says("migrating the databases")
                    await self._migrate()
                    for part in self._plan.services:
                        self._start(part, client)
                    await self._all_ready(says)
                    await self._well(client, says)
            except TimeoutError:
                raise self._not_ready(f"after {limit:g} s") from None

    def _start(self, part: Part, client: httpx.AsyncClient) -> None:
        self._children[part.name] = Child(
            part,
            log=self._data.log(part.log),
            teller=self._teller,
            client=client,
            started=self._note_start,
        )

    def _note_start(self, name: str, process: ProcessId) -> None:
        with contextlib.suppress(OSError):  # a full disk stops no service; the tether still holds it
            self._record.started(name, process)

    async def _migrate(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for part in self._plan.services:
                    group.create_task(prepare(part, self._data.new_log(part.log)))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _all_ready(self, says: Says) -> None:
        while waiting := [child for child in self._children.values() if not child.ready.is_set()]:
            says("waiting for " + ", ".join(child.part.name for child in waiting))
            for child in waiting:
                if child.kept.done():
                    child.kept.result()
            await asyncio.sleep(_POLL)

    async def _well(self, client: httpx.AsyncClient, says: Says) -> None:
        gateway = self._plan.gateway
        if gateway is None or gateway.url is None:
            return
        well = all_is_well(gateway.url)
        child = self._children[gateway.name]
        while (lacks := await well(client)) is not None:
            child.lacks = lacks
            says(f"gateway: {lacks}")
            await asyncio.sleep(_POLL)
        child.lacks = ""

    async def _watch(self) -> None:
        """For as long as the system runs; a fault of our own in keeping a child is not kept quiet."""
        kept = {child.kept for child in self._children.values()}
        done, _ = await asyncio.wait(kept, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    def _not_ready(self, when: str) -> LocalStartError:
        late = [child for child in self._children.values() if not child.ready.is_set()]
        late = late or [child for child in self._children.values() if child.lacks]
        if not late:
            return LocalStartError(f"the databases were not migrated {when}")
        names = "; ".join(f"{child.part.name} {child.lacks}" for child in late)
        return LocalStartError(f"not healthy {when}: {names}", details=last_lines(late[0].log))

    async def _take_down(self, hurry: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            self._record.becomes(Phase.STOPPING)
        self._teller.note("stopping")
        loop = asyncio.get_running_loop()
        grace = self._limits.grace + _MARGIN
        began = loop.time()
        await self._stop(self._plan.workers, grace, hurry)
        left = grace - timedelta(seconds=loop.time() - began)
        await self._stop([self._plan.gateway], max(left, _SHORT), hurry)
        await self._stop([*self._plan.surroundings.parts, self._plan.valkey], _SHORT, hurry)
        self._teller.good("stopped: nothing is left running")

    async def _stop(self, parts: Iterable[Part | None], grace: timedelta, hurry: asyncio.Event) -> None:
        names = [part.name for part in parts if part is not None]
        children = [self._children[name] for name in names if name in self._children]
        await asyncio.gather(*(child.stop(grace, hurry) for child in children))


async def prepare(part: Part, log: Path) -> None:
    """Brings the part's database to its newest tables and fills them; what it says goes to the log.

    Raises:
        LocalStartError: it failed, with the end of its log.
    """
    await migrate(part, log)
    await seed(part, log)


async def migrate(part: Part, log: Path) -> None:
    """Brings the part's database to its newest tables. Raises as `prepare` does."""
    if part.migrate is not None and await _run_to_its_end(part.migrate, part, log) != 0:
        raise LocalStartError(f"the database of {part.name} was not migrated", details=last_lines(log))


async def seed(part: Part, log: Path) -> None:
    """Fills the part's tables with what everybody needs. Raises as `prepare` does."""
    if part.seed is not None and await _run_to_its_end(part.seed, part, log) != 0:
        raise LocalStartError(f"the database of {part.name} was not seeded", details=last_lines(log))


async def _run_to_its_end(command: Sequence[str], part: Part, log: Path) -> int:
    process = await spawn(command, part.environment, log)
    try:
        return await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Does the work, or leaves it once there is a stop: then False."""
    working = asyncio.create_task(work)
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return False
        working.result()
        return True
    finally:
        working.cancel()
        stopped.cancel()
        await asyncio.wait({working, stopped})
