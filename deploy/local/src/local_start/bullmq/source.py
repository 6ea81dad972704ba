"""The queues of BullMQ 5, read and emptied without BullMQ.

The layout is that of bullmq 5.81 (`bull:<queue>:wait` and so on), which its Lua scripts define.
"""

import base64
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from math import isfinite
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from local_start.bullmq.jobs import Bond, Elsewhere, Job, State, due_of

PAGE: Final = 500
_FIELDS: Final = ("name", "data", "timestamp", "priority", "parentKey", "rjk")
_OLD_MARKER: Final = "0:"
"""Earlier versions left these beside the ids in `wait`, and version 5 may still find them there."""


class Removal(IntEnum):
    """What became of the attempt to take a job out."""

    GONE = 0
    REMOVED = 1
    CHANGED = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What a queue holds, and whether somebody may be working it off."""

    counts: Mapping[State | Elsewhere, int]
    paused: bool
    workers: int | None
    """Connected ones; None where this Redis does not say."""

    @property
    def is_at_rest(self) -> bool:
        """Whether no worker can take a job now."""
        return self.paused or self.workers == 0


class BullQueue:
    """One queue of BullMQ, by its name and the prefix of all queues.

    Every method raises `RedisError`, or `OSError` where there is no server.
    """

    def __init__(self, client: Redis, name: str, prefix: str) -> None:
        self._client = client
        self.name = name
        self.prefix = prefix
        self._script = (files("local_start.bullmq") / "remove.lua").read_text()

    async def look(self) -> Found:
        """What is there now."""
        pipeline = self._client.pipeline(transaction=False)
        for state in (State.WAIT, State.PAUSED, Elsewhere.ACTIVE):
            pipeline.llen(self._key(state))
        sorted_sets = (
            *(State.PRIORITIZED, State.DELAYED),
            *(Elsewhere.FAILED, Elsewhere.WAITING_CHILDREN, Elsewhere.SCHEDULERS),
        )
        for state in sorted_sets:
            pipeline.zcard(self._key(state))
        pipeline.hexists(self._key("meta"), "paused")
        *numbers, paused = cast("list[int]", await pipeline.execute())
        counts = zip((State.WAIT, State.PAUSED, Elsewhere.ACTIVE, *sorted_sets), numbers, strict=True)
        return Found(dict(counts), bool(paused), await self._workers())

    async def jobs(self) -> AsyncIterator[Job]:
        """Every job that had not begun at the call, in the order in which BullMQ would run them."""
        ids = await self._ids()
        for start in range(0, len(ids), PAGE):
            for job in await self._read(ids[start : start + PAGE]):
                yield job

    async def remove(self, job: Job) -> Removal:
        """Takes out a job that has not begun since it was read."""
        keys = [*(self._key(state) for state in State), self._key(job.id)]
        reply = await cast(
            "Awaitable[int]",
            self._client.eval(self._script, len(keys), *keys, job.id, job.data, self._key("")),
        )
        return Removal(reply)

    async def _ids(self) -> Sequence[tuple[str, State, float]]:
        pipeline = self._client.pipeline()  # one look: no job is seen twice, or not at all, on its way
        for state in (State.WAIT, State.PAUSED):
            pipeline.lrange(self._key(state), 0, -1)
        for state in (State.PRIORITIZED, State.DELAYED):
            pipeline.zrange(self._key(state), 0, -1, withscores=True)
        wait, paused, prioritized, delayed = cast("tuple[list[Any], ...]", tuple(await pipeline.execute()))
        found = [
            # BullMQ pushes on the left and takes from the right.
            *((each.decode(), State.WAIT, 0.0) for each in reversed(wait)),
            *((each.decode(), State.PAUSED, 0.0) for each in reversed(paused)),
            *((each.decode(), State.PRIORITIZED, score) for each, score in prioritized),
            *((each.decode(), State.DELAYED, score) for each, score in delayed),
        ]
        return [each for each in found if not each[0].startswith(_OLD_MARKER)]

    async def _read(self, page: Sequence[tuple[str, State, float]]) -> Sequence[Job]:
        pipeline = self._client.pipeline(transaction=False)
        for job_id, _, _ in page:
            pipeline.hmget(self._key(job_id), *_FIELDS)
        rows = cast("list[list[bytes | None]]", await pipeline.execute())
        return [self._job(*place, row) for place, row in zip(page, rows, strict=True)]

    def _job(self, job_id: str, state: State, score: float, row: Sequence[bytes | None]) -> Job:
        name, data, created, priority, parent, scheduler = row
        bond = None
        if name is None or data is None:
            bond = Bond.GONE
        elif parent is not None:
            bond = Bond.FLOW
        elif scheduler is not None:
            bond = Bond.SCHEDULE
        try:
            text, at, rank = (name or b"").decode(), _whole(created), _whole(priority)
        except ValueError:
            text, at, rank, bond = repr(name)[:100], 0, 0, bond or Bond.UNREADABLE
        return Job(
            queue=self.name,
            id=job_id,
            state=state,
            name=text,
            data=data or b"",
            created=at,
            priority=rank,
            due=due_of(score) if state is State.DELAYED else None,
            bond=bond,
        )

    async def _workers(self) -> int | None:
        """A worker's connection bears the prefix and its queue's name; a named one its own name besides."""
        try:
            clients = cast("list[Mapping[str, str]]", await self._client.client_list())
        except (NoPermissionError, ResponseError):  # managed servers may not allow it
            return None
        mine = f"{self.prefix}:{base64.b64encode(self.name.encode()).decode()}"
        names = [client.get("name", "") for client in clients]
        return sum(name == mine or name.startswith(f"{mine}:w:") for name in names)

    def _key(self, part: str) -> str:
        return f"{self.prefix}:{self.name}:{part}"


def _whole(number: bytes | None) -> int:
    """BullMQ takes what JavaScript calls a number, `performance.now()` too. Raises `ValueError`."""
    value = float(number or 0)
    if not isfinite(value):
        raise ValueError("no number")
    return int(value)
