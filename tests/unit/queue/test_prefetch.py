"""How many deliveries a consumer fetches."""

import pytest

from shared.queue.prefetch import Prefetch


def slow(places: int) -> Prefetch:
    """A consumer whose handlers take long."""
    prefetch = Prefetch(places)
    for _ in range(10):
        prefetch.ran(1.0)
    return prefetch


def quick(places: int) -> Prefetch:
    prefetch = Prefetch(places)
    for _ in range(10):
        prefetch.ran(0.001)
    return prefetch


def test_slow_handlers_have_no_more_in_hand_than_can_run() -> None:
    assert [slow(5).room(unsettled) for unsettled in range(7)] == [5, 4, 3, 2, 1, 0, 0]


def test_before_anything_ran_there_is_no_reserve() -> None:
    assert Prefetch(5).room(0) == 5


def test_quick_handlers_have_as_many_again_in_reserve() -> None:
    assert quick(4).room(0) == 8


def test_the_reserve_is_filled_up_once_it_is_half_empty() -> None:
    prefetch = quick(4)
    assert [prefetch.room(unsettled) for unsettled in range(5, 9)] == [3, 2, 0, 0]
    assert [prefetch.suffices(unsettled) for unsettled in range(5, 9)] == [False, False, True, True]


def test_handlers_that_become_slow_lose_the_reserve() -> None:
    prefetch = quick(4)
    for _ in range(10):
        prefetch.ran(1.0)
    assert prefetch.room(4) == 0


@pytest.mark.parametrize("room", [1, 3, 10, 40])
def test_each_lower_lane_has_a_tenth_of_what_is_left_to_it(room: int) -> None:
    prefetch = Prefetch(20)
    shares = [prefetch.shares(room) for _ in range(100)]
    low, normal = (sum(lane) for lane in zip(*shares, strict=True))
    assert (low, normal) == (10 * room, (100 * room - low) // 10)
    assert all(low + normal <= room for low, normal in shares)


def test_no_lane_has_a_share_of_no_room() -> None:
    prefetch = quick(4)
    prefetch.shares(4)
    assert prefetch.shares(0) == (0, 0)
