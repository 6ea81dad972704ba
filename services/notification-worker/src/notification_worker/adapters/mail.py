"""A mail as it goes over the wire."""

import re
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from typing import Final

from notification_worker.domain import Mail
from notification_worker.ports import MailRefusedError

_POLICY: Final = SMTP.clone(cte_type="7bit")
"""What is not ASCII is encoded: no server needs to offer 8BITMIME."""
_LOCAL: Final = re.compile(r"[^\s\x00-\x20\x7f\"(),:;<>@\[\\\]]{1,64}")
_DOMAIN: Final = re.compile(r"[A-Za-z0-9.-]{1,253}")
LINE: Final = 76
NAME_SHOWN: Final = 100


def address_of(address: str, name: str | None = None) -> Address:
    """A mailbox whose domain is in ASCII; raises MailRefusedError where there can be no such one."""
    local, _, domain = address.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except ValueError:
        domain = ""
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise MailRefusedError("the address cannot be written into a mail")
    return Address(_one_line(name or "")[:NAME_SHOWN].strip(), local, domain)


def bytes_of(mail: Mail, sender: Address) -> bytes:
    """The mail with its headers, byte for byte the same each time.

    Its Message-ID is made of `mail.id` and the sender's domain alone.

    Raises MailRefusedError where its address cannot be written.
    """
    headers = (
        ("From", _mailbox(sender)),
        ("To", _mailbox(address_of(mail.to, mail.name))),
        ("Subject", _text("Subject", _one_line(mail.content.subject))),
        ("Date", format_datetime(mail.date)),
        ("Message-ID", f"<{mail.id}@{sender.domain}>"),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834: no answering machine answers
    )
    # The headers are written here: EmailMessage of Python 3.11 loses spaces where it folds encoded words.
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return head.encode() + _body(mail).as_bytes()


def _body(mail: Mail) -> EmailMessage:
    content, body = mail.content, EmailMessage(policy=_POLICY)
    if content.text is None:
        body.set_content(content.html or "", subtype="html")
        return body
    body.set_content(content.text)
    if content.html is not None:
        body.add_alternative(content.html, subtype="html")
        body.set_boundary(_boundary(mail))
    return body


def _boundary(mail: Mail) -> str:
    """A line that is in neither part, as nobody can write a text that has its own digest in it."""
    content = mail.content
    digest = sha256("\x00".join((mail.id, content.text or "", content.html or "")).encode())
    return f"=_{digest.hexdigest()[:48]}"


def _mailbox(address: Address) -> str:
    if _is_plain(address.display_name):
        return str(address)
    return f"{_text('From', address.display_name)}\r\n <{address.addr_spec}>"


def _text(name: str, text: str) -> str:
    """The value of a header, in encoded words (RFC 2047) where it is not ASCII, folded."""
    charset = "us-ascii" if _is_plain(text) else "utf-8"
    return Header(text, charset, maxlinelen=LINE, header_name=name).encode(linesep="\r\n")


def _is_plain(text: str) -> bool:
    """ASCII that nobody could take for an encoded word."""
    return text.isascii() and "=?" not in text


def _one_line(text: str) -> str:
    """No header can be begun in it: what breaks or controls lines becomes a space."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())
