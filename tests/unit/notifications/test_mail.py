"""A mail as it goes over the wire: whatever is in it, it says what it should and nothing more."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notification_worker.adapters.mail import address_of, bytes_of
from notification_worker.domain import Content, Mail
from notification_worker.ports import MailRefusedError

SENDER = Address("Your shop", "shop", "shop.example")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]

words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf")), max_size=120)


def mail(
    subject: str = "Hello", *, name: str | None = None, to: str = "ada@example.com", **body: str
) -> Mail:
    return Mail("m-1", to, name, Content(subject, body.get("text", "Hi"), body.get("html")), NOW)


def sent(what: Mail, sender: Address = SENDER) -> EmailMessage:
    raw = bytes_of(what, sender)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) < 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    return message_from_bytes(raw, policy=default)


def one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unfolded(message: EmailMessage, name: str) -> str:
    """The header by RFC 2047; the parser of Python 3.11 puts spaces between the words of an encoded name."""
    (raw,) = [value for known, value in message.raw_items() if known == name]
    return str(make_header(decode_header(str(raw).replace("\r\n", ""))))


def boundary(raw: bytes) -> str | None:
    return message_from_bytes(raw, policy=default).get_boundary()


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return cast("str", cast("EmailMessage", body).get_content()).replace("\r\n", "\n")


@given(words)
@example("Grüße " * 20)
@example("a\r\nBcc: eve@example.com")
@example("=?utf-8?q?Free=20money?=")
@example("{{7*7}} <script>alert(1)</script> =HYPERLINK() \\x1b[31m")
@example("\u2028\u0085\tx")
def test_a_subject_arrives_as_it_was_on_one_line(subject: str) -> None:
    message = sent(mail(subject))

    assert str(message["Subject"]) == one_line(subject)
    assert message.keys()[:6] == HEADERS
    assert message["Bcc"] is None


@given(words)
@example('Łovelace, the "1st" <eve@example.com>')
@example("Ada\r\nBcc: eve@example.com")
@example("=?utf-8?q?Eve?= ,")
@example("O'Brien; (Ada) \\ @home")
@example("李小龍" * 40)
def test_a_name_arrives_as_it_was_beside_the_one_address(name: str) -> None:
    message = sent(mail(name=name))

    shown = one_line(name)[:100].strip()
    named = f"{quoted(shown)} <ada@example.com>" if shown else "ada@example.com"
    assert unfolded(message, "To") in {f"{shown} <ada@example.com>", named}
    assert [address.addr_spec for address in message["To"].addresses] == ["ada@example.com"]
    assert message.keys()[:6] == HEADERS


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=500))
@example(".\n..\nFrom me\n" + "x" * 3_000)
def test_a_text_arrives_as_it_was(text: str) -> None:
    message = sent(mail(text=text, html="<p>ü</p>"))

    assert part(message, "plain").rstrip("\n") == text.rstrip("\n")
    assert part(message, "html") == "<p>ü</p>\n"


def test_a_mail_may_be_html_alone() -> None:
    message = sent(Mail("m-1", "ada@example.com", None, Content("Hello", None, "<p>Hi</p>"), NOW))

    assert message.get_content_type() == "text/html"


def test_a_mail_says_that_a_machine_wrote_it_and_which_one_it_is() -> None:
    message = sent(mail())

    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<m-1@shop.example>"
    assert message["Date"].datetime == NOW
    assert str(message["From"]) == "Your shop <shop@shop.example>"


def test_a_mail_is_the_same_byte_for_byte_however_often_it_is_written() -> None:
    twice = [bytes_of(mail("Grüße", text="Hi", html="<p>Hi</p>"), SENDER) for _ in range(2)]

    assert twice[0] == twice[1]
    other = bytes_of(mail("Grüße", text="Ho", html="<p>Hi</p>"), SENDER)
    assert boundary(other) != boundary(twice[0])


def test_a_sender_may_have_a_name_that_is_not_ascii() -> None:
    message = sent(mail(), Address("Lädchen, „Eck“", "shop", "shop.example"))

    assert message["From"].addresses[0].display_name == "Lädchen, „Eck“"


def test_a_domain_that_is_not_ascii_goes_in_punycode() -> None:
    assert sent(mail(to="ada@bücher.example"))["To"].addresses[0].domain == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    "address", ["ada", "ada@", "a b@example.com", "ada@exa mple.com\r\nBcc: x@y.zz", "@x"]
)
def test_what_is_no_address_is_refused_for_good(address: str) -> None:
    with pytest.raises(MailRefusedError):
        address_of(address)
