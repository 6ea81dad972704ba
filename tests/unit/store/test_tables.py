"""Rows of events, and times on every database."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from shared.store.tables import Outbox, UtcDateTime, sendable_columns
from support.deliveries import envelope

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_a_row_gives_back_the_event_that_it_was_made_of() -> None:
    event = envelope(
        "x",
        subject="order/1",
        causation_id="cause",
        not_before=NOON,
        expires_at=NOON + timedelta(hours=1),
        max_attempts=3,
        run=2,
    )

    assert Outbox(**sendable_columns(event, "orders")).envelope() == event


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        UtcDateTime().process_bind_param(NOON.replace(tzinfo=None), sqlite.dialect())


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgresql"])
def test_a_time_comes_back_in_utc(dialect: sqlite.dialect | postgresql.dialect) -> None:
    kind = UtcDateTime()
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))

    stored = kind.process_bind_param(elsewhere, dialect)

    assert kind.process_result_value(stored, dialect) == NOON
    assert kind.process_bind_param(None, dialect) is None
    assert kind.process_result_value(None, dialect) is None
