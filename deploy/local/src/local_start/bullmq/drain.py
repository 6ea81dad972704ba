"""Moves the jobs of one BullMQ queue into this system: none is lost, none is published twice."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from local_start.bullmq.jobs import Job
from local_start.bullmq.mapping import DoesNotMapError, JobMappings
from local_start.bullmq.report import QueueReport
from local_start.bullmq.source import BullQueue, Removal
from shared.client import EventPublisher, PublishRefusedError
from shared.events import Event

AT_ONCE = 16
UNAUTHENTICATED, CONFLICT = 401, 409


@dataclass(frozen=True, slots=True)
class Target:
    """Where jobs go. `remove`: they leave BullMQ, each once the gateway has its event for good."""

    publisher: EventPublisher
    remove: bool


@dataclass(frozen=True, slots=True)
class Drain:
    """One queue on its way. Without a target it is only looked at.

    A job's event id comes from the job, and a job is removed after the gateway's answer, never before. So
    after a crash at any point a second call publishes nothing twice, and removes what the first has not.
    """

    queue: BullQueue
    mappings: JobMappings
    target: Target | None = None

    async def run(self, report: QueueReport) -> None:
        """Takes over all that has not begun, and writes down as it goes what became of it.

        Raises `GatewayUnavailableError`, `PublishRefusedError` for a key that is not accepted, `RedisError`.
        """
        ready: list[tuple[Job, Event]] = []
        async for job in self.queue.jobs():
            event = self._event_of(job, report)
            if event is not None and self.target is not None:
                ready.append((job, event))
            if len(ready) == AT_ONCE:
                await self._move(ready, report)
                ready = []
        await self._move(ready, report)

    def _event_of(self, job: Job, report: QueueReport) -> Event | None:
        try:
            event = None if job.bond else self.mappings.event_of(job)
        except DoesNotMapError as error:
            report.leave(job, str(error))
            return None
        if event is None:
            report.leave(job, str(job.bond))
            return None
        report.mapped[event.type] += 1
        return event

    async def _move(self, ready: Sequence[tuple[Job, Event]], report: QueueReport) -> None:
        """A few at once, and all of them settled before it returns or raises."""
        if self.target is None:
            return
        moves = [self._move_one(job, event, self.target, report) for job, event in ready]
        for error in await asyncio.gather(*moves, return_exceptions=True):
            if error is not None:
                raise error

    async def _move_one(self, job: Job, event: Event, target: Target, report: QueueReport) -> None:
        try:
            answer = await target.publisher.publish(
                event,
                id=job.event_id(self.queue.prefix),
                not_before=job.due,
                priority=self.mappings.lane_of(job),
            )
        except PublishRefusedError as error:
            if error.status == UNAUTHENTICATED:
                raise
            report.leave(job, _refusal(error))
            return
        if answer.duplicate:
            report.known += 1
        else:
            report.published += 1
        if target.remove:
            match await self.queue.remove(job):
                case Removal.REMOVED:
                    report.removed += 1
                case Removal.GONE:
                    report.leave(job, "published, and taken or removed in BullMQ at the same time")
                case Removal.CHANGED:
                    report.leave(job, "published, but its data was changed in BullMQ since it was read")


def _refusal(error: PublishRefusedError) -> str:
    if error.status == CONFLICT:
        return "published before with other content: its delay, its lane or the mapping was another"
    return f"refused: {error}"
