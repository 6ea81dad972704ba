"""Which trace the present work belongs to, in the words of W3C Trace Context: how a cause finds its effects.

What travels with an event is only a text, and it travels whether or not this process reports traces.
Whoever does (`shared.service.tracing`) says here which span is the present one.
"""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Protocol

Attributes = Mapping[str, str | int | bool]

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Span(Protocol):
    """A piece of work that is being reported."""

    @property
    def traceparent(self) -> str: ...

    def calling(self, name: str, attributes: Attributes) -> "AbstractContextManager[Span]":
        """Makes a span below this one the present one, for a call to somebody else."""
        ...


present_span: ContextVar[Span | None] = ContextVar("present_span", default=None)


def present_traceparent() -> str | None:
    """The `traceparent` of what is being done now; None where nothing of it is reported."""
    span = present_span.get()
    return span.traceparent if span else None


def is_traceparent(text: str) -> bool:
    """Whether it is one of the version that we write; what others may add behind it is not read."""
    return _TRACEPARENT.fullmatch(text) is not None


def trace_id(traceparent: str) -> str:
    return traceparent[3:35]


def span_id(traceparent: str) -> str:
    return traceparent[36:52]
