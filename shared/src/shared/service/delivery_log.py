"""What a worker's log says about deliveries."""

import logging
from typing import Any

import structlog
from faststream import BaseMiddleware

from shared.queue import Delivery, Observer, Verdict
from shared.service.logs import trace_fields

log = logging.getLogger(__name__)


class DeliveryLog:
    """Implements the queue's `Observer`: one line a delivery, once `also` has heard of it."""

    def __init__(self, also: Observer) -> None:
        self._also = also

    def settled(self, delivery: Delivery, verdict: Verdict, seconds: float) -> None:
        self._also.settled(delivery, verdict, seconds)
        envelope = delivery.envelope
        level = logging.WARNING if verdict.outcome in {"dead", "failed"} else logging.INFO
        fields = {
            "event_id": delivery.event_id,
            "type": envelope.type if envelope else "",
            "correlation_id": envelope.correlation_id if envelope else "",
            "subject": envelope.subject if envelope else "",
            "ms": round(seconds * 1000, 1),
            **trace_fields(delivery.traceparent or (envelope.traceparent if envelope else None)),
        }
        if verdict.reason is not None:
            fields["reason"] = verdict.reason
        if verdict.retry_in is not None:
            fields["retry_in_s"] = round(verdict.retry_in.total_seconds(), 1)
        log.log(level, verdict.outcome, extra=fields)


class LogFields(BaseMiddleware):
    """Puts the ids of the event that is handled on every line that its handling logs."""

    async def consume_scope(self, call_next: Any, msg: Any) -> Any:
        headers = msg.headers
        with structlog.contextvars.bound_contextvars(
            event_id=headers.get("message_id", ""),
            correlation_id=msg.correlation_id,
            subject=headers.get("subject", ""),
        ):
            return await call_next(msg)
