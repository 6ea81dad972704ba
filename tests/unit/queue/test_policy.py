"""When something is tried again."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.queue import RetryPolicy
from shared.queue.policy import Backoff

SECOND = timedelta(seconds=1)


@given(st.integers(1, 10_000))
def test_a_delay_is_between_nought_and_its_ceiling(failures: int) -> None:
    policy = RetryPolicy(base=SECOND, cap=timedelta(minutes=5))

    delay = policy.after_failure(failures)

    assert timedelta() <= delay <= min(SECOND * 2 ** min(failures - 1, 20), timedelta(minutes=5))


def test_delays_are_drawn_from_the_whole_range() -> None:
    policy = RetryPolicy(base=SECOND, cap=timedelta(minutes=5))

    delays = [policy.after_failure(4) / SECOND for _ in range(2_000)]

    assert min(delays) < 0.5
    assert max(delays) > 7.5
    assert 3.6 < sum(delays) / len(delays) < 4.4


def test_the_ceiling_doubles_up_to_the_cap() -> None:
    policy = RetryPolicy(base=SECOND, cap=timedelta(seconds=10))

    longest = [max(policy.after_failure(n) for _ in range(500)) / SECOND for n in range(1, 8)]

    assert [round(value) for value in longest] == [1, 2, 4, 8, 10, 10, 10]


@given(st.floats(0, 1e7))
def test_what_is_too_early_is_tried_again_soon_and_never_at_once(seconds: float) -> None:
    delay = RetryPolicy().after_postponement(timedelta(seconds=seconds))

    assert timedelta(milliseconds=100) <= delay <= timedelta(minutes=5)
    if seconds <= 120:
        assert delay <= timedelta(seconds=15)


def test_a_postponement_grows_with_the_time_that_has_passed() -> None:
    policy = RetryPolicy()

    assert policy.after_postponement(timedelta()) <= timedelta(milliseconds=200)
    assert policy.after_postponement(timedelta(minutes=2)) >= timedelta(seconds=7)


def test_a_backoff_doubles_up_to_its_cap_and_begins_again() -> None:
    backoff = Backoff(base=0.1, cap=1.0)

    waits = [backoff.next() for _ in range(8)]

    for wait, ceiling in zip(waits, (0.1, 0.2, 0.4, 0.8, 1, 1, 1, 1), strict=True):
        assert ceiling / 2 <= wait <= ceiling
    backoff.reset()
    assert backoff.next() <= 0.1
