"""What stands on a line of the log."""

import json
import logging
from collections.abc import Iterator

import pytest

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
