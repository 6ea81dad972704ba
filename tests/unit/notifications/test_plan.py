from datetime import UTC, datetime

import pytest

from notification_worker.domain import (
    Addressee,
    MessageState,
    NoChannelError,
    UnreachableError,
    check_reaches_somebody,
    child_id,
    fallbacks,
    plan,
)

ADA = Addressee(user_id="c-7", email="ada@example.com")
BOTH = frozenset({"email", "in-app"})
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def channels(*asked: str, to: Addressee = ADA, active: frozenset[str] = BOTH) -> list[tuple[str, str, str]]:
    return [
        (message.channel, message.state.value, message.reason or "")
        for message in plan("e-1", to, asked or None, active, NOW)
    ]


def test_without_channels_it_goes_by_every_active_one_that_finds_the_person() -> None:
    assert channels() == [("email", "queued", ""), ("in-app", "queued", "")]
    assert channels(to=Addressee(email="ada@example.com")) == [("email", "queued", "")]
    assert channels(active=frozenset({"in-app"})) == [("in-app", "queued", "")]


def test_a_channel_that_is_asked_for_and_not_active_is_skipped_and_said() -> None:
    assert channels("email", "sms") == [("email", "queued", ""), ("sms", "skipped", "no_channel")]


def test_a_channel_that_does_not_find_the_person_is_skipped_and_said() -> None:
    assert channels("email", "in-app", to=Addressee(user_id="c-7")) == [
        ("email", "skipped", "unreachable"),
        ("in-app", "queued", ""),
    ]


def test_where_no_channel_asked_for_is_active_there_is_no_channel() -> None:
    with pytest.raises(NoChannelError, match="sms, push"):
        check_reaches_somebody(plan("e-1", ADA, ("sms", "push"), BOTH, NOW), BOTH)


@pytest.mark.parametrize("asked", [None, ("email",), ("email", "sms")])
def test_where_no_channel_finds_the_person_they_are_unreachable(asked: tuple[str, ...] | None) -> None:
    with pytest.raises(UnreachableError):
        check_reaches_somebody(plan("e-1", Addressee(phone="+4930901820"), asked, BOTH, NOW), BOTH)


def test_a_message_is_the_same_in_every_try_and_another_for_each_event_channel_and_person() -> None:
    def ids(event: str, to: Addressee) -> list[str]:
        return [message.id for message in plan(event, to, None, BOTH, NOW)]

    assert ids("e-1", ADA) == ids("e-1", ADA)
    assert (
        len({*ids("e-1", ADA), *ids("e-2", ADA), *ids("e-1", Addressee(user_id="c-8", email="x@y.zz"))}) == 6
    )


def test_the_children_of_a_batch_have_ids_of_their_own_in_every_try() -> None:
    assert child_id("e-1", 3, "ada") == child_id("e-1", 3, "ada")
    assert len({child_id("e-1", 3, "ada"), child_id("e-1", 4, "ada"), child_id("e-2", 3, "ada")}) == 3


def test_a_template_is_looked_for_in_the_nearest_locale_first() -> None:
    assert fallbacks("zh-Hant-TW") == ("zh-Hant-TW", "zh-Hant", "zh", None)
    assert fallbacks(None) == (None,)


def test_the_states_are_those_that_the_interface_names() -> None:
    assert set(MessageState) == {"queued", "sending", "sent", "read", "failed", "skipped"}
