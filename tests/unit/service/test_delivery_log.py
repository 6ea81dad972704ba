"""The line that a worker logs for each delivery."""

import logging
from datetime import timedelta

import pytest

from shared.queue import Delivery, Verdict
from shared.service.delivery_log import DeliveryLog
from support.deliveries import delivery


class Heard:
    """Implements `Observer`."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def settled(self, delivery: Delivery, verdict: Verdict, seconds: float) -> None:
        self.outcomes.append(verdict.outcome)


@pytest.mark.parametrize(
    ("verdict", "level"),
    [
        (Verdict("completed"), logging.INFO),
        (Verdict("postponed", timedelta(seconds=2), "out_of_order"), logging.INFO),
        (Verdict("failed", timedelta(seconds=2), "KeyError"), logging.WARNING),
        (Verdict("dead", reason="no_such_sku"), logging.WARNING),
    ],
)
def test_each_delivery_is_a_line_with_its_event_and_what_became_of_it(
    caplog: pytest.LogCaptureFixture, verdict: Verdict, level: int
) -> None:
    heard = Heard()

    with caplog.at_level(logging.INFO):
        DeliveryLog(heard).settled(delivery(), verdict, 0.0125)

    (line,) = caplog.records
    assert (line.levelno, line.message) == (level, verdict.outcome)
    said = vars(line)
    assert (said["event_id"], said["ms"], said.get("reason")) == ("x", 12.5, verdict.reason)
    assert said.get("retry_in_s") == (2.0 if verdict.retry_in else None)
    assert heard.outcomes == [verdict.outcome]
