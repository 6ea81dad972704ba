"""One process that is kept running: started again when it dies, until it is stopped."""

import asyncio
import contextlib
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import httpx

from local_start.console import Teller
from local_start.errors import LocalStartError
from local_start.identity import ProcessId
from local_start.part import Part
from local_start.tether import tethered

_POLL = 0.1  # seconds between two looks at a process that is not ready yet
_AT_ONCE = 2.0  # seconds: whoever lives shorter waits before the next try
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 1.5  # seconds; a new process is there within two
_TRIES = 3  # deaths before a part has ever worked: then the start fails and says why
_KILLED = timedelta(seconds=5)  # a SIGKILL takes no longer than this to be noticed


async def spawn(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> asyncio.subprocess.Process:
    """A tethered process that writes to the log and gets no signal from our terminal."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *tethered(command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def last_lines(log: Path, count: int = 12) -> list[str]:
    """What a log ends with; nothing if there is none."""
    with contextlib.suppress(OSError), log.open(errors="replace") as lines:
        return [line.rstrip() for line in deque(lines, maxlen=count)]
    return []


class Child:
    """Keeps one part running.

    `ready` is set while it works. `lacks` says what is missing until then.
    """

    def __init__(
        self,
        part: Part,
        *,
        log: Path,
        teller: Teller,
        client: httpx.AsyncClient,
        started: Callable[[str, ProcessId], None],
    ) -> None:
        self.part = part
        self.log = log
        self.ready = asyncio.Event()
        self.lacks = "has not been started"
        self._teller = teller
        self._client = client
        self._started = started
        self._process: asyncio.subprocess.Process | None = None
        self._identity: ProcessId | None = None
        self._has_worked = False
        self._stopping = False
        self.kept = asyncio.create_task(self._keep(), name=part.name)

    async def stop(self, grace: timedelta, hurry: asyncio.Event) -> None:
        """Ends it for good: SIGTERM, and SIGKILL after the grace or once there is a hurry."""
        self._stopping = True
        if self._process is None:
            self.kept.cancel()  # it waits for its next try, or is being forked: asyncio ends that one
        elif self._identity is not None:
            self._identity.send(signal.SIGTERM)
            hurried = asyncio.create_task(hurry.wait())
            await asyncio.wait(
                {self.kept, hurried}, timeout=grace.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
            hurried.cancel()
            if not self.kept.done():
                self._teller.note(f"{self.part.name} did not stop in time: killed")
                self._identity.send(signal.SIGKILL)
        await asyncio.wait({self.kept}, timeout=_KILLED.total_seconds())
        if self.kept.done() and not self.kept.cancelled():
            self.kept.exception()  # only one child's failure is told: the first

    async def _keep(self) -> None:
        deaths_at_once = deaths = 0
        while True:
            began = asyncio.get_running_loop().time()
            how = await self._live()
            if self._stopping:
                return
            deaths += 1
            if not self._has_worked and deaths == _TRIES:
                raise LocalStartError(
                    f"{self.part.name} does not start ({how})", details=last_lines(self.log)
                )
            lived = asyncio.get_running_loop().time() - began
            deaths_at_once = deaths_at_once + 1 if lived < _AT_ONCE else 0
            await self._pause(how, deaths_at_once)

    async def _live(self) -> str:
        """One life of the process, and how it ended."""
        try:
            process = await spawn(self.part.command, self.part.environment, self.log)
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        self._process = process
        self._identity = ProcessId.of(process.pid)
        if self._identity is not None:
            self._started(self.part.name, self._identity)
        watching = asyncio.create_task(self._watch_until_ready())
        try:
            code = await process.wait()
        finally:
            watching.cancel()
            self._process = None
            self.ready.clear()
            self.lacks = "is not running"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    async def _watch_until_ready(self) -> None:
        while (lacks := await self.part.ready(self._client)) is not None:
            self.lacks = lacks
            await asyncio.sleep(_POLL)
        self.ready.set()
        again = " again" if self._has_worked else ""
        self._has_worked = True
        self._teller.good(f"{self.part.name} is healthy{again}  {self.part.address}")

    async def _pause(self, how: str, deaths_at_once: int) -> None:
        name = self.part.name
        if deaths_at_once <= 1:
            self._teller.bad(f"{name} died ({how}): started again")
            return
        pause = min(_FIRST_PAUSE * 2 ** min(deaths_at_once - 2, 10), _LONGEST_PAUSE)
        is_power_of_two = deaths_at_once & (deaths_at_once - 1) == 0
        self._teller.bad(
            f"{name} died again at once ({how}): next try in {pause:.1f} s, number {deaths_at_once}",
            last_lines(self.log) if is_power_of_two else (),
        )
        await asyncio.sleep(pause)
