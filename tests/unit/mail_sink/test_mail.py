from datetime import UTC, datetime

import pytest

from mail_sink.mail import Address, Envelope, Mail, from_file, to_file

ENVELOPE = Envelope(
    "shop@example.com", ("zoe@example.com", "ben@example.com"), datetime(2026, 1, 2, tzinfo=UTC)
)


def _mail(content: bytes) -> Mail:
    return Mail("1", ENVELOPE, content)


def test_a_mail_is_read_with_its_names_its_text_and_its_html() -> None:
    reading = _mail(
        b"From: Shop <shop@example.com>\r\nTo: =?utf-8?q?Zo=C3=AB?= <Zoe@example.com>\r\n"
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@shop>\r\n"
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"Hallo =C3=BC\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Hallo</p>\r\n--b--\r\n"
    ).reading

    assert reading.sender == Address("Shop", "shop@example.com")
    assert reading.recipients == (Address("Zoë", "zoe@example.com"), Address("", "ben@example.com"))
    assert (reading.subject, reading.message_id) == ("Grüße", "1@shop")
    assert (reading.text.strip(), reading.html.strip()) == ("Hallo ü", "<p>Hallo</p>")
    assert reading.headers["Message-ID"] == ["<1@shop>"]


def test_a_header_that_comes_twice_has_both_its_values() -> None:
    reading = _mail(b"X-Tag: one\r\nX-Tag: two\r\n\r\n").reading

    assert reading.headers == {"X-Tag": ["one", "two"]}


def test_utf8_in_headers_and_body_is_read_as_it_was_meant() -> None:
    reading = _mail("Subject: Grüße\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nüber".encode()).reading

    assert (reading.subject, reading.text) == ("Grüße", "über")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00 no header at all",
        b"From: @@@<\r\nTo: ;;;:<>\r\nSubject: =?x?q?=ff?=\r\n\r\nhi",
        b"Content-Type: text/plain; charset=nonsense\r\n\r\n\xff",
        b'Content-Type: text/html; charset="\r\n\r\n<p>',
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Transfer-Encoding: base64\r\n\r\n%%%",
        b"Date: \x00\r\nMessage-ID: <\r\nContent-Disposition: ;;=\r\n\r\n",
        b"From: =?utf-8?b?////?= <a@b>\r\n\r\n",
    ],
)
def test_a_broken_mail_is_shown_as_far_as_it_goes_as_text_that_json_can_hold(content: bytes) -> None:
    reading = _mail(content).reading

    assert [recipient.address for recipient in reading.recipients] == list(ENVELOPE.recipients)
    values = [value for values in reading.headers.values() for value in values]
    for text in (reading.subject, reading.text, reading.html, *values):
        text.encode()


def test_what_is_kept_is_read_again_byte_for_byte() -> None:
    content = b"X-Mail-Sink-Envelope: forged\r\n\xff\r\n.\r\n"

    mail = from_file("1", to_file(ENVELOPE, content))

    assert (mail.envelope, mail.content) == (ENVELOPE, content)


def test_a_mail_of_another_program_is_read_too() -> None:
    mail = from_file("1", b"Subject: hi\r\n\r\n")

    assert mail.reading.subject == "hi"
