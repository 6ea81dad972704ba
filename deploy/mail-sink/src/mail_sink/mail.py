"""One mail as it was taken, and what a reader sees in it. No content can make a mail unreadable."""

import email.policy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import getaddresses
from functools import cached_property
from typing import cast

_ENVELOPE = b"X-Mail-Sink-Envelope: "
"""The one line that is put before a mail where it is kept: the file is still a mail to any program."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What SMTP said outside of the mail: who sends, who receives (in that order), and when it was taken."""

    sender: str
    recipients: tuple[str, ...]
    taken: datetime


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail says. `headers` are named as they were sent, each with all its values."""

    sender: Address
    recipients: tuple[Address, ...]
    subject: str
    text: str
    html: str
    message_id: str
    headers: Mapping[str, list[str]]


@dataclass(frozen=True)
class Mail:
    """A mail that was taken. `content` is what came after DATA, byte for byte."""

    id: str
    envelope: Envelope
    content: bytes

    @cached_property
    def reading(self) -> Reading:
        """What it says; of a mail that cannot be parsed, the envelope and the bytes as text."""
        try:
            return _read(self)
        except Exception:  # noqa: BLE001 - the parser of the standard library trips over some malformed headers
            return _as_it_stands(self)


def to_file(envelope: Envelope, content: bytes) -> bytes:
    """The mail with its envelope, as it is kept."""
    fields = {
        "sender": envelope.sender,
        "recipients": envelope.recipients,
        "taken": envelope.taken.isoformat(),
    }
    return _ENVELOPE + json.dumps(fields).encode() + b"\r\n" + content


def from_file(mail_id: str, kept: bytes) -> Mail:
    """The mail that `to_file` wrote; another program's mail is read by its own headers.

    Raises:
        ValueError: the first line is ours and broken.
    """
    if not kept.startswith(_ENVELOPE):
        return Mail(mail_id, Envelope("", (), datetime.fromtimestamp(0, UTC)), kept)
    line, _, content = kept.partition(b"\r\n")
    fields = json.loads(line.removeprefix(_ENVELOPE))
    envelope = Envelope(
        fields["sender"], tuple(fields["recipients"]), datetime.fromisoformat(fields["taken"])
    )
    return Mail(mail_id, envelope, content)


def _read(mail: Mail) -> Reading:
    # Not the parser's newer policy: that takes 3 ms for the headers of a mail, a checker reads thousands.
    parser = BytesParser(_class=EmailMessage, policy=email.policy.compat32)
    message = cast("EmailMessage", parser.parsebytes(mail.content))
    headers: dict[str, list[str]] = {}
    raw: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        unfolded = _clean("".join(str(value).splitlines()))
        raw.setdefault(name.lower(), []).append(unfolded)
        headers.setdefault(_clean(name), []).append(_decoded(unfolded))
    names = {
        address.lower(): _decoded(name)
        for name, address in getaddresses(raw.get("to", []) + raw.get("cc", []))
    }
    senders = [each for each in getaddresses(raw.get("from", [])) if each[1]]
    name, address = senders[0] if senders else ("", mail.envelope.sender)
    return Reading(
        sender=Address(_decoded(name), address),
        recipients=tuple(
            Address(names.get(address.lower(), ""), address) for address in mail.envelope.recipients
        ),
        subject=_decoded(raw.get("subject", [""])[0]),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        message_id=raw.get("message-id", [""])[0].strip().removeprefix("<").removesuffix(">"),
        headers=headers,
    )


def _decoded(value: str) -> str:
    """A header's text without its encoded words (RFC 2047); as it stands where they are broken."""
    if "=?" not in value:
        return value
    try:
        return _clean(str(make_header(decode_header(value))))
    except (HeaderParseError, LookupError, ValueError):
        return value


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    # Not get_content(): that raises for a charset that nobody knows.
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        text = raw.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        text = raw.decode("utf-8", "replace")
    return text.replace("\r\n", "\n")


def _as_it_stands(mail: Mail) -> Reading:
    return Reading(
        sender=Address("", mail.envelope.sender),
        recipients=tuple(Address("", address) for address in mail.envelope.recipients),
        subject="",
        text=mail.content.decode("utf-8", "replace").replace("\r\n", "\n"),
        html="",
        message_id="",
        headers={},
    )


def _clean(text: str) -> str:
    """Without the lone surrogates in which the parser keeps bytes: they are no text that JSON may hold."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
