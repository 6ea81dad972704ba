"""Traces: nothing where nobody wants them, and no harm where their collector is away."""

import subprocess
import sys
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from shared.events import Envelope
from shared.events.trace import present_span, present_traceparent
from shared.queue.clock import ServerClock
from shared.service.settings import WorkerSettings
from shared.service.tracing import calling, start_tracing, traced_sender
from shared.service.tracing.queue import TracedSender
from shared.service.tracing.spans import Tracing, exported_to
from support.deliveries import envelope
from support.ports import free_port

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-1122334455667788-01"


class Sent:
    """A sender that remembers."""

    def __init__(self, epoch: str | None = "epoch") -> None:
        self.envelopes: list[Envelope] = []
        self.trouble: Exception | None = None
        self._epoch = epoch

    async def send(self, queue: str, envelopes: Sequence[Envelope]) -> str | None:
        if self.trouble:
            raise self.trouble
        self.envelopes += envelopes
        return self._epoch

    async def epoch(self, queue: str) -> str | None:
        return self._epoch

    @property
    def clock(self) -> ServerClock:
        return ServerClock()


class Reported:
    """Tracing whose reports stay here."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracing = Tracing("order-worker", self._exporter)

    async def spans(self) -> dict[str, object]:
        await self.tracing.close()
        return {span.name: span for span in self._exporter.get_finished_spans()}


def settings(**more: str) -> WorkerSettings:
    class Settings(WorkerSettings):
        name = "order-worker"

    return Settings.model_validate({"DATABASE_URL": "sqlite:///x", "QUEUE_SERVICE_KEY": "k" * 16, **more})


def test_without_an_endpoint_there_is_no_tracing_and_the_sender_is_itself() -> None:
    sender = Sent()

    assert start_tracing(settings()) is None
    assert traced_sender(None, sender) is sender


def test_a_service_that_reports_nothing_does_not_load_what_reports() -> None:
    program = (
        "import sys, order_worker.main as main, order_worker.settings as s\n"
        "main.create_app(s.Settings.model_validate("
        "{'DATABASE_URL': 'sqlite:///x', 'QUEUE_SERVICE_KEY': 'k' * 16}))\n"
        "kinds = ('opentelemetry.sdk.trace', 'opentelemetry.exporter', 'google.protobuf')\n"
        "print([name for name in sys.modules if name.startswith(kinds)])"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector", "ftp://x"])
def test_an_endpoint_that_is_no_address_of_http_stops_the_start(endpoint: str) -> None:
    with pytest.raises(ValueError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        settings(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)


def test_a_call_outside_of_a_trace_is_no_span_and_carries_nothing() -> None:
    with calling("POST provider") as headers:
        assert (dict(headers), present_traceparent()) == ({}, None)


async def test_a_call_is_a_span_below_the_present_one_and_carries_itself_on() -> None:
    reported = Reported()

    with reported.tracing.span("handle", SpanKind.CONSUMER, parent=PARENT, attributes={}) as handling:
        with calling("POST provider", **{"url.path": "/v1/captures"}) as headers:
            carried = headers["traceparent"]
        assert present_span.get() is handling

    spans = await reported.spans()
    call, handle = spans["POST provider"], spans["handle"]
    assert call.parent.span_id == handle.context.span_id  # type: ignore[attr-defined] a finished span has it
    assert f"{call.context.span_id:016x}" in carried  # type: ignore[attr-defined] a finished span has it
    assert carried.split("-")[1] == TRACE
    assert present_traceparent() is None


async def test_a_call_that_fails_says_by_what_and_not_what_that_said() -> None:
    reported = Reported()

    with (
        pytest.raises(ValueError, match="secret"),
        reported.tracing.span("handle", SpanKind.CONSUMER, parent=None, attributes={}),
        calling("POST provider"),
    ):
        raise ValueError("a secret")

    call = (await reported.spans())["POST provider"]
    assert call.status.status_code is StatusCode.ERROR  # type: ignore[attr-defined] a finished span has it
    assert "secret" not in call.to_json()  # type: ignore[attr-defined] a finished span has it


async def test_an_event_of_a_trace_is_sent_as_a_span_and_goes_on_from_it() -> None:
    reported, sender = Reported(), Sent()

    epoch = await TracedSender(reported.tracing, sender).send("orders", [envelope("x", traceparent=PARENT)])

    span = (await reported.spans())["send orders"]
    (sent,) = sender.envelopes
    assert epoch == "epoch"
    assert sent.traceparent == f"00-{TRACE}-{span.context.span_id:016x}-01"  # type: ignore[attr-defined] a finished span has it


async def test_an_event_without_a_trace_is_sent_as_it_is() -> None:
    reported, sender = Reported(), Sent()
    event = envelope("x")

    await TracedSender(reported.tracing, sender).send("orders", [event])

    assert sender.envelopes == [event]
    assert await reported.spans() == {}


@pytest.mark.parametrize("trouble", [ConnectionError("away"), None])
async def test_a_sending_that_did_not_happen_is_an_error(trouble: Exception | None) -> None:
    reported, sender = Reported(), Sent(epoch=None)
    sender.trouble = trouble
    sending = TracedSender(reported.tracing, sender).send("orders", [envelope("x", traceparent=PARENT)])

    if trouble:
        with pytest.raises(ConnectionError):
            await sending
    else:
        assert await sending is None

    span = (await reported.spans())["send orders"]
    assert span.status.description == ("ConnectionError" if trouble else "closed")  # type: ignore[attr-defined] a finished span has it


@pytest.mark.timeout(30)
async def test_a_collector_that_is_away_holds_up_no_end() -> None:
    tracing = Tracing("order-worker", exported_to(f"http://127.0.0.1:{free_port()}"))
    with tracing.span("handle", SpanKind.CONSUMER, parent=None, attributes={}):
        pass

    await tracing.close()
