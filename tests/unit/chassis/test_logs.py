"""What stands on a line of the log."""

import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from shared.events.trace import Attributes, Span, present_span
from shared.service.logs import configure_logs


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_a_line_names_its_service_and_holds_no_escape_codes_of_uvicorns(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("order-worker", form="json", level="INFO")

    logging.getLogger("uvicorn.error").info("running", extra={"color_message": "\x1b[1mrunning"})

    line = json.loads(capsys.readouterr().out)
    assert root.handlers
    assert (line["event"], line["service"]) == ("running", "order-worker")
    assert "color_message" not in line


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "1122334455667788"


class _Span:
    """A span that is being reported."""

    traceparent = f"00-{TRACE}-{SPAN}-01"

    def calling(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        raise NotImplementedError


def test_a_line_within_a_trace_carries_its_ids(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("order-worker", form="json", level="INFO")
    token = present_span.set(_Span())

    logging.getLogger("shared.test").info("within")
    present_span.reset(token)
    logging.getLogger("shared.test").info("outside")

    within, outside = map(json.loads, capsys.readouterr().out.splitlines())
    assert root.handlers
    assert (within["trace_id"], within["span_id"]) == (TRACE, SPAN)
    assert "trace_id" not in outside
