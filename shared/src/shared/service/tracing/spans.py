"""Spans, as OpenTelemetry's SDK reports them over OTLP. Imported only where traces are wanted.

They hold names, ids and the type of an error; never an event's data, nor an error's text, which may.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan

from shared.events.trace import Attributes, is_traceparent, present_span

EXPORT_SECONDS = 2.0
"""How long a report may take, tries and pauses together; a process that stops waits for its last one."""


def exported_to(endpoint: str) -> SpanExporter:
    """By OTLP over HTTP; headers, sampling and limits are set by OpenTelemetry's own variables."""
    # One line for a report that was lost is enough; what led to it is below an ERROR.
    logging.getLogger(OTLPSpanExporter.__module__).setLevel(logging.ERROR)
    return OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)


class Tracing:
    """Begins the spans of one process, and reports them in the background."""

    def __init__(self, service: str, exporter: SpanExporter) -> None:
        resource = Resource.create(
            {
                "service.name": service,
                "service.version": version(service),
                "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            }
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("shop-queue")

    @contextmanager
    def span(
        self, name: str, kind: SpanKind, *, parent: str | None, attributes: Attributes
    ) -> Generator["ReportedSpan"]:
        """Makes a new span the present one; `parent` is a `traceparent`, None begins a trace."""
        with _present(self._tracer, name, kind, parent, attributes) as span:
            yield span

    def sending(self, name: str, parent: str, attributes: Attributes) -> "ReportedSpan":
        """A span that is not the present one: of many events that are sent at once. It has to be ended."""
        span = self._tracer.start_span(name, _below(parent), SpanKind.PRODUCER, attributes)
        return ReportedSpan(self._tracer, span)

    async def close(self) -> None:
        """Reports what is left, and waits only a little for a collector that does not answer."""
        await asyncio.to_thread(self._provider.shutdown)


class ReportedSpan:
    """Implements `shared.events.trace.Span`."""

    def __init__(self, tracer: Tracer, span: OtelSpan) -> None:
        self._tracer = tracer
        self._span = span
        told = span.get_span_context()
        self.traceparent = f"00-{told.trace_id:032x}-{told.span_id:016x}-{told.trace_flags:02x}"

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def tell(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def failed(self, kind: str) -> None:
        """What it stands for did not work; `kind` takes few values."""
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR, kind))

    def end(self) -> None:
        self._span.end()

    @contextmanager
    def calling(self, name: str, attributes: Attributes) -> Generator["ReportedSpan"]:
        with _present(self._tracer, name, SpanKind.CLIENT, self.traceparent, attributes) as span:
            try:
                yield span
            except BaseException as error:
                span.failed(type(error).__name__)
                raise


@contextmanager
def _present(
    tracer: Tracer, name: str, kind: SpanKind, parent: str | None, attributes: Attributes
) -> Generator[ReportedSpan]:
    span = ReportedSpan(tracer, tracer.start_span(name, _below(parent), kind, attributes))
    token = present_span.set(span)
    try:
        yield span
    finally:
        present_span.reset(token)
        span.end()


def _below(parent: str | None) -> Context:
    if parent is None or not is_traceparent(parent):
        return Context()
    _, trace, span, flags = parent.split("-")
    remote = SpanContext(
        int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return set_span_in_context(NonRecordingSpan(remote), Context())
