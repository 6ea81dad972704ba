"""Structured logs: an event's name, and ids as fields; text for a person, JSON for a machine."""

import logging
import sys
from typing import Literal

import structlog
from structlog.types import Processor

from shared.events.trace import present_traceparent, span_id, trace_id


def trace_fields(traceparent: str | None) -> dict[str, str]:
    """What finds a line's trace; nothing where there is none."""
    if traceparent is None:
        return {}
    return {"trace_id": trace_id(traceparent), "span_id": span_id(traceparent)}


def configure_logs(service: str, *, form: Literal["text", "json"], level: str) -> None:
    """Sends the logs of this process to stdout, those of libraries from WARNING up."""

    def complete(_: object, __: str, fields: structlog.types.EventDict) -> structlog.types.EventDict:
        fields.pop("color_message", None)  # uvicorn's second copy of its text, with escape codes
        return {"service": service, **trace_fields(present_traceparent()), **fields}

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        complete,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor]
    if form == "json":
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # A plain traceback: the stock one shows local variables, which is slow and tells customers' data.
        plain = structlog.dev.plain_traceback
        colors = sys.stdout.isatty()
        last = [structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=24, exception_formatter=plain)]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel("WARNING")
    for ours in ("shared", service.replace("-", "_"), "uvicorn.error"):
        logging.getLogger(ours).setLevel(level)
