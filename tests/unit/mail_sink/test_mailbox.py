from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from mail_sink.mail import Envelope
from mail_sink.mailbox import Mailbox

ENVELOPE = Envelope("a@example.com", ("b@example.com",), datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "mails"


def _contents(mailbox: Mailbox) -> list[bytes]:
    return [mail.content for mail in mailbox.newest_first()]


def test_mails_are_listed_newest_first(directory: Path) -> None:
    mailbox = Mailbox(directory, kept=10)
    for number in range(3):
        mailbox.add(ENVELOPE, b"%d" % number)

    assert _contents(mailbox) == [b"2", b"1", b"0"]


def test_another_process_finds_what_was_kept_and_goes_on_behind_it(directory: Path) -> None:
    first = Mailbox(directory, kept=10).add(ENVELOPE, b"first")

    again = Mailbox(directory, kept=10)
    second = again.add(ENVELOPE, b"second")

    assert second.id > first.id
    assert _contents(again) == [b"second", b"first"]


def test_past_the_number_that_is_kept_the_oldest_go(directory: Path) -> None:
    mailbox = Mailbox(directory, kept=2)
    for number in range(4):
        mailbox.add(ENVELOPE, b"%d" % number)

    assert _contents(mailbox) == [b"3", b"2"]
    assert len(list(directory.iterdir())) == 2


def test_past_the_bytes_that_are_kept_the_oldest_go_but_never_the_newest(directory: Path) -> None:
    mailbox = Mailbox(directory, kept=10, bytes_kept=1_000)
    mailbox.add(ENVELOPE, b"small")
    mailbox.add(ENVELOPE, b"x" * 5_000)

    assert _contents(mailbox) == [b"x" * 5_000]


def test_forgetting_leaves_no_file(directory: Path) -> None:
    mailbox = Mailbox(directory, kept=10)
    mailbox.add(ENVELOPE, b"gone")

    assert mailbox.forget_all() == 1
    assert (_contents(mailbox), list(directory.iterdir())) == ([], [])


def test_a_mail_that_was_cut_off_in_the_writing_is_none(directory: Path) -> None:
    directory.mkdir()
    (directory / ".1.eml.unfinished").write_bytes(b"half a")
    (directory / "2.eml").write_bytes(b"X-Mail-Sink-Envelope: {broken\r\n\r\n")

    assert _contents(Mailbox(directory, kept=10)) == []


def test_mails_that_come_at_the_same_time_are_all_kept(directory: Path) -> None:
    mailbox = Mailbox(directory, kept=100)
    contents = [b"%03d" % number for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(mailbox.add, ENVELOPE), contents))

    assert sorted(_contents(mailbox)) == contents
