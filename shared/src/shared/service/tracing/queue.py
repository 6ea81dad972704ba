"""Spans of the queue: an event's sending, and its handling. Imported only where traces are wanted."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager

from opentelemetry.trace import SpanKind

from shared.events.envelope import Envelope
from shared.queue import (
    AlreadyEndedError,
    Delivery,
    ExpiredError,
    GiveUpError,
    Ledger,
    PostponeError,
    Verdict,
)
from shared.queue.clock import ServerClock
from shared.queue.outcomes import HandlingError
from shared.service.tracing.spans import Tracing
from shared.store.relay import Sender


class TracedSender:
    """A relay's `Sender` that reports each event of a trace; its span goes on with the entry."""

    def __init__(self, tracing: Tracing, sender: Sender) -> None:
        self._tracing = tracing
        self._sender = sender

    async def send(self, queue: str, envelopes: Sequence[Envelope]) -> str | None:
        spans = {
            n: self._tracing.sending(f"send {queue}", envelope.traceparent, _facts(queue, envelope))
            for n, envelope in enumerate(envelopes)
            if envelope.traceparent
        }
        sent = [
            envelope._replace(traceparent=spans[n].traceparent) if n in spans else envelope
            for n, envelope in enumerate(envelopes)
        ]
        failure = None
        try:
            epoch = await self._sender.send(queue, sent)
            failure = "closed" if epoch is None else None
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            for span in spans.values():
                if failure:
                    span.failed(failure)
                span.end()
        return epoch

    async def epoch(self, queue: str) -> str | None:
        return await self._sender.epoch(queue)

    @property
    def clock(self) -> ServerClock:
        return self._sender.clock


class TracedLedger:
    """A `Ledger` that reports each run of a handler, with its commit."""

    def __init__(self, tracing: Tracing, ledger: Ledger) -> None:
        self._tracing = tracing
        self._ledger = ledger

    @asynccontextmanager
    async def transaction(self, delivery: Delivery) -> AsyncGenerator[None]:
        with self._handling(delivery):
            async with self._ledger.transaction(delivery):
                yield

    @asynccontextmanager
    async def steps(self, delivery: Delivery) -> AsyncGenerator[None]:
        with self._handling(delivery):
            async with self._ledger.steps(delivery):
                yield

    async def begin_alone(self, delivery: Delivery) -> Verdict | None:
        return await self._ledger.begin_alone(delivery)

    async def fail(self, delivery: Delivery, error: Exception) -> Verdict:
        return await self._ledger.fail(delivery, error)

    async def postpone(self, delivery: Delivery, error: PostponeError) -> Verdict:
        return await self._ledger.postpone(delivery, error)

    async def bury(self, delivery: Delivery, reason: str, error: Exception) -> Verdict:
        return await self._ledger.bury(delivery, reason, error)

    async def expire(self, delivery: Delivery) -> Verdict:
        return await self._ledger.expire(delivery)

    async def ping(self) -> None:
        await self._ledger.ping()

    def is_infrastructure(self, error: BaseException) -> bool:
        return self._ledger.is_infrastructure(error)

    @contextmanager
    def _handling(self, delivery: Delivery) -> Generator[None]:
        envelope = delivery.envelope
        assert envelope is not None  # noqa: S101 bytes that are no event are not run
        facts = {
            **_facts(delivery.queue, envelope),
            "queue.suspect": delivery.suspect,
            "messaging.consumer.name": delivery.worker,
        }
        with self._tracing.span(
            f"handle {envelope.type}", SpanKind.CONSUMER, parent=envelope.traceparent, attributes=facts
        ) as span:
            delivery.traceparent = span.traceparent
            try:
                yield
            except AlreadyEndedError as error:
                span.tell({"queue.outcome": error.verdict.outcome})
                raise
            except HandlingError as error:
                span.tell({"queue.outcome": _outcome(error), "queue.reason": error.reason})
                if not isinstance(error, PostponeError | ExpiredError):
                    span.failed(error.reason)
                raise
            except BaseException as error:
                span.tell({"queue.outcome": "failed"})
                span.failed(type(error).__name__)
                raise
            span.tell({"queue.outcome": "completed"})


def _outcome(error: HandlingError) -> str:
    match error:
        case PostponeError():
            return "postponed"
        case GiveUpError():
            return "dead"
        case ExpiredError():
            return "expired"
        case _:
            return "failed"


def _facts(queue: str, envelope: Envelope) -> dict[str, str | int | bool]:
    return {
        "messaging.system": "redis",
        "messaging.destination.name": queue,
        "messaging.message.id": envelope.id,
        "messaging.message.conversation_id": envelope.correlation_id,
        "queue.type": envelope.type,
        "queue.run": envelope.run,
    }
