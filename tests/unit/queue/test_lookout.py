"""When a consumer looks for entries whose owner is gone."""

from shared.queue.lookout import Lookout

NEVER = 1e9
"""Seconds between two looks: no test waits for the second one."""


def test_the_first_look_is_due_at_once() -> None:
    assert Lookout(NEVER).order(empty_handed=True) == "take"


def test_with_something_in_hand_it_only_looks() -> None:
    assert Lookout(NEVER).order(empty_handed=False) == "look"


def test_after_a_look_it_looks_no_more_until_the_next_is_due() -> None:
    lookout = Lookout(NEVER)
    lookout.order(empty_handed=True)

    assert not lookout.is_due
    assert lookout.order(empty_handed=True) == "no"


def test_hands_that_were_emptied_for_a_suspect_take_it_whether_a_look_is_due_or_not() -> None:
    lookout = Lookout(NEVER)
    lookout.order(empty_handed=False)
    lookout.yielding = True

    assert lookout.order(empty_handed=False) == "no"
    assert lookout.order(empty_handed=True) == "take"


def test_after_a_suspect_the_next_look_is_due_at_once() -> None:
    lookout = Lookout(NEVER)
    lookout.order(empty_handed=True)
    lookout.look_soon()

    assert lookout.order(empty_handed=True) == "take"
