"""Traces: off unless `OTEL_EXPORTER_OTLP_ENDPOINT` is set, and then what reports them is not even imported.

One trace goes from a request through the journal, the relay, the handler and its outbox to the next
handler and the call that it makes. What joins them is the `traceparent` in the envelope.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shared.events.trace import present_span
from shared.queue import Ledger
from shared.service.settings import ServiceSettings
from shared.store.relay import Sender

if TYPE_CHECKING:
    from shared.service.tracing.spans import Tracing


def start_tracing(settings: ServiceSettings) -> "Tracing | None":
    """What reports the spans of this process; None where nobody wants them."""
    if not settings.otlp_endpoint:
        return None
    from shared.service.tracing.spans import Tracing, exported_to  # noqa: PLC0415 a quarter second, if wanted

    return Tracing(settings.name, exported_to(settings.otlp_endpoint))


def traced_sender(tracing: "Tracing | None", sender: Sender) -> Sender:
    """The sender, with a span for each event that it sends and that has a trace."""
    if tracing is None:
        return sender
    from shared.service.tracing.queue import TracedSender  # noqa: PLC0415 as above

    return TracedSender(tracing, sender)


def traced_ledger(tracing: "Tracing | None", ledger: Ledger) -> Ledger:
    """The ledger, with a span for each run of a handler."""
    if tracing is None:
        return ledger
    from shared.service.tracing.queue import TracedLedger  # noqa: PLC0415 as above

    return TracedLedger(tracing, ledger)


@contextmanager
def calling(name: str, **attributes: str | int) -> Generator[Mapping[str, str]]:
    """A span for a call to somebody else, below the present one; gives the headers that carry it there.

    Without a present span there is none, and there are no headers. `name` takes few values.
    """
    span = present_span.get()
    if span is None:
        yield {}
        return
    with span.calling(name, attributes) as call:
        yield {"traceparent": call.traceparent}
