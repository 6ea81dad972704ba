"""Puts the points of `support.faults` around the objects of a service, before it is composed.

Each class here is the one that it names with points around what it does; `put_points` gives them to the two
modules that compose a worker and the gateway.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import gateway.main
import notification_worker.adapters.smtp
import payment_worker.main
import shared.queue.consumer
import shared.service.worker
from gateway.adapters.takeover import TakeOver
from gateway.adapters.writer import JournalWriter
from notification_worker.adapters.smtp import SmtpConnection
from notification_worker.domain import Mail
from payment_worker.adapters.provider import SandboxProvider
from shared.events.envelope import Envelope
from shared.queue import Delivery, RedisSender, Verdict
from shared.queue.scripts import Call, Listen, Scripts
from shared.store.handover import HandOver
from shared.store.ledger import SqlLedger
from shared.store.relay import Relay
from shared.store.reports import HandOverBatch
from shared.store.tables import Attempt, Inbox, Outbox
from shared.store.unit import Unit
from support.faults import reach


def put_points() -> None:
    """For this process, and whatever it composes from now on."""
    for module, replaced in (
        (shared.queue.consumer, {"Scripts": PointedScripts}),
        (
            shared.service.worker,
            {
                "SqlLedger": PointedLedger,
                "RedisSender": PointedSender,
                "Relay": PointedRelay,
                "HandOver": PointedHandOver,
            },
        ),
        (payment_worker.main, {"SandboxProvider": PointedProvider}),
        (notification_worker.adapters.smtp, {"SmtpConnection": PointedConnection}),
        (
            gateway.main,
            {
                "JournalWriter": PointedWriter,
                "TakeOver": PointedTakeOver,
                "RedisSender": PointedSender,
                "Relay": PointedRelay,
            },
        ),
    ):
        for name, kind in replaced.items():
            assert hasattr(module, name), f"{module.__name__} composes no {name} any more"
            setattr(module, name, kind)


class PointedScripts(Scripts):
    async def call_all(self, calls: Sequence[Call | Listen]) -> list[Any]:
        names = [call.script if isinstance(call, Call) else "listen" for call in calls]
        if "ack" in names:
            reach("before-ack")
        if "later" in names:
            reach("before-retry-move")
        replies = await super().call_all(calls)
        if "ack" in names:
            reach("after-ack")
        if "later" in names:
            reach("after-retry-move")
        for name, reply in zip(names, replies, strict=True):
            if name == "fetch" and not isinstance(reply, Exception) and reply[3]:
                reach("after-fetch")
        return replies


class PointedLedger(SqlLedger):
    @asynccontextmanager
    async def transaction(self, delivery: Delivery) -> AsyncGenerator[None]:
        reach("before-transaction")
        async with super().transaction(delivery):
            reach("in-transaction")
            yield
            reach("before-commit")
        reach("after-commit")

    @asynccontextmanager
    async def steps(self, delivery: Delivery) -> AsyncGenerator[None]:
        reach("before-transaction")
        async with super().steps(delivery):
            yield

    @asynccontextmanager
    async def _step(self, delivery: Delivery) -> AsyncGenerator[Unit]:
        reach("before-step")
        async with super()._step(delivery) as unit:
            yield unit
        reach("after-step")

    @asynccontextmanager
    async def _last(self, delivery: Delivery) -> AsyncGenerator[Unit]:
        reach("before-last")
        async with super()._last(delivery) as unit:
            yield unit
        reach("after-last")

    async def begin_alone(self, delivery: Delivery) -> Verdict | None:
        reach("before-suspect")
        verdict = await super().begin_alone(delivery)
        reach("after-suspect")
        return verdict

    async def fail(self, delivery: Delivery, error: Exception) -> Verdict:
        reach("before-failure")
        verdict = await super().fail(delivery, error)
        reach("after-failure")
        return verdict

    async def bury(self, delivery: Delivery, reason: str, error: Exception) -> Verdict:
        reach("before-dead-letter")
        verdict = await super().bury(delivery, reason, error)
        reach("after-dead-letter")
        return verdict


class PointedSender(RedisSender):
    async def send(self, queue: str, envelopes: Sequence[Envelope]) -> str | None:
        reach("before-send")
        return await super().send(queue, envelopes)


class PointedRelay(Relay):
    async def _mark(self, epoch: str, envelopes: Sequence[Envelope]) -> None:
        reach("before-mark")
        await super()._mark(epoch, envelopes)
        reach("after-mark")


class PointedHandOver(HandOver):
    async def hand_over_once(self) -> bool:
        rows, _ = await self._gather()
        if any(rows):
            reach("before-post")
        return await super().hand_over_once()

    async def _close(
        self, outbox: Sequence[Outbox], attempts: Sequence[Attempt], inbox: Sequence[Inbox]
    ) -> None:
        reach("before-close")
        await super()._close(outbox, attempts, inbox)
        reach("after-close")


class PointedProvider(SandboxProvider):
    async def _post(
        self, path: str, key: str, body: Mapping[str, object], facts: Mapping[str, object]
    ) -> tuple[int, Any]:
        reach("before-call")
        answer = await super()._post(path, key, body, facts)
        reach("after-call")
        return answer


class PointedConnection(SmtpConnection):
    async def send(self, mail: Mail) -> None:
        reach("before-call")
        await super().send(mail)
        reach("after-call")


class PointedWriter(JournalWriter):
    async def _commit(self, submissions: Sequence[Any]) -> Sequence[Any]:
        reach("before-journal")
        answers = await super()._commit(submissions)
        reach("after-journal")
        return answers


class PointedTakeOver(TakeOver):
    async def take(self, batch: HandOverBatch) -> None:
        reach("before-take-over")
        await super().take(batch)
        reach("after-take-over")
