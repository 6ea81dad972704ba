from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.client import RetryPolicy
from shared.client.retry import retry_after

SECOND = timedelta(seconds=1)
NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(("tries", "ceiling"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (6, 10), (5000, 10)])
def test_the_pause_doubles_up_to_the_longest(tries: int, ceiling: int) -> None:
    policy = RetryPolicy(first=SECOND, longest=10 * SECOND, random=lambda: 1.0)

    assert policy.wait(tries) == ceiling * SECOND


@given(st.integers(1, 100))
def test_a_pause_is_any_part_of_its_ceiling(tries: int) -> None:
    policy = RetryPolicy(first=SECOND, longest=10 * SECOND)

    assert timedelta() <= policy.wait(tries) < 10 * SECOND
    assert RetryPolicy(random=lambda: 0.0).wait(tries) == timedelta()


def test_what_the_server_asks_for_is_waited_for_before_the_jitter() -> None:
    policy = RetryPolicy(first=SECOND, random=lambda: 0.5)

    assert policy.wait(1, 7 * SECOND) == timedelta(seconds=7.5)


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("0", timedelta()),
        ("7", 7 * SECOND),
        ("120", 120 * SECOND),
        ("Tue, 24 Nov 2026 12:00:30 GMT", 30 * SECOND),
        ("Tue, 24 Nov 2026 12:00:30 -0000", 30 * SECOND),
        ("Tue, 24 Nov 2026 11:00:00 GMT", timedelta()),
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("nan", None),
        ("٣", None),
        ("Tue, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_a_pause_is_asked_for_in_seconds_or_as_a_date(header: str | None, pause: timedelta | None) -> None:
    assert retry_after(header, NOON) == pause


def test_an_absurd_pause_is_longer_than_any_deadline() -> None:
    assert (retry_after("9" * 5000) or timedelta()) > timedelta(days=3650)


@given(
    st.text(max_size=40)
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,5} \d\d:\d\d(:\d\d)? .{0,6}")
)
def test_no_header_can_do_more_than_be_ignored(header: str) -> None:
    pause = retry_after(header)

    assert pause is None or pause >= timedelta()
