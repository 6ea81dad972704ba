"""A collector of traces in this process: takes OTLP over HTTP, and shows the spans."""

import gzip
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it was reported; ids in hexadecimal, `parent` empty for the root of a trace."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    error: str
    attributes: dict[str, str | int | bool] = field(hash=False)


class Collector:
    """`spans` grows as processes report; `url` is what they are told."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def of_trace(self, trace: str) -> list[Span]:
        return [span for span in list(self.spans) if span.trace == trace]

    def named(self, name: str) -> list[Span]:
        return [span for span in list(self.spans) if span.name == name]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                spans.extend(_read(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the library's name
                """The test says what it wants to say."""

        return Handler


def _read(body: bytes) -> list[Span]:
    request: Any = ExportTraceServiceRequest.FromString(body)
    found: list[Span] = []
    for group in request.resource_spans:
        service = str(_values(group.resource.attributes)["service.name"])
        for scope in group.scope_spans:
            found += [_span(service, span) for span in scope.spans]
    return found


def _span(service: str, span: Any) -> Span:
    return Span(
        service=service,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        error=span.status.message if span.status.code == span.status.STATUS_CODE_ERROR else "",
        attributes=_values(span.attributes),
    )


def _values(pairs: Any) -> dict[str, str | int | bool]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
