import base64
from datetime import UTC, datetime

import pytest

from gateway.cursors import Cursors, ForgedCursorError, Position

HERE = Position(datetime(2026, 11, 24, 10, 0, 0, 123456, tzinfo=UTC), "e-1")


def test_a_cursor_is_read_as_it_was_written() -> None:
    written = Cursors("secret").write(HERE, "list")

    assert Cursors("secret").read(written, "list") == HERE


@pytest.mark.parametrize(("secret", "scope"), [("other", "list"), ("secret", "another list")])
def test_a_cursor_holds_for_one_secret_and_one_list(secret: str, scope: str) -> None:
    written = Cursors("secret").write(HERE, "list")

    with pytest.raises(ForgedCursorError):
        Cursors(secret).read(written, scope)


def test_a_cursor_with_any_bit_turned_is_forged() -> None:
    written = Cursors("secret").write(HERE, "list")
    raw = bytearray(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)))

    for index in range(len(raw)):
        turned = bytes(byte ^ (position == index) for position, byte in enumerate(raw))
        with pytest.raises(ForgedCursorError):
            Cursors("secret").read(base64.urlsafe_b64encode(turned).decode().rstrip("="), "list")


@pytest.mark.parametrize("cursor", ["", "A", "=", "é", "\x00", "A" * 499, "../..", "AAAA=AAA"])
def test_what_is_no_cursor_is_forged(cursor: str) -> None:
    with pytest.raises(ForgedCursorError):
        Cursors("secret").read(cursor, "list")
