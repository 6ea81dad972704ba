"""Takes mail over SMTP: answers 250 only to what is kept."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast

from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as SmtpEnvelope

from mail_sink.mail import Envelope
from mail_sink.mailbox import Mailbox

log = logging.getLogger(__name__)

CONNECTIONS = 200
"""How many may be open at a time; the next is told to come again (421)."""
RECIPIENTS = 1_000
SILENCE_SECONDS = 60
"""After so long without a command a connection is closed."""
_LAST_MAILS = 5.0  # seconds in which mails that are just being kept are finished at a stop


class Taking:
    """What is done with a mail that comes in (aiosmtpd's hooks)."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._under_way: set[asyncio.Task[str]] = set()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: SmtpEnvelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: SmtpEnvelope) -> str:  # noqa: N802 - aiosmtpd's name
        # A task of its own: a client that hangs up while its mail is written cancels only its own waiting.
        keeping = asyncio.create_task(self._keep(envelope))
        self._under_way.add(keeping)
        keeping.add_done_callback(self._under_way.discard)
        return await asyncio.shield(keeping)

    async def handle_exception(self, error: Exception) -> str:
        log.error("a connection failed: %r", error)
        return "451 4.3.0 Something is wrong here: try again"

    async def finish(self) -> None:
        """Returns when no mail is being written, or after a few seconds."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_LAST_MAILS)

    async def _keep(self, envelope: SmtpEnvelope) -> str:
        content = envelope.content
        taken = Envelope(_text(envelope.mail_from), tuple(map(_text, envelope.rcpt_tos)), datetime.now(UTC))
        raw = content if isinstance(content, bytes) else (content or "").encode()
        try:
            mail = await asyncio.to_thread(self._mailbox.add, taken, raw)
        except OSError as error:
            log.error("a mail was not kept: %s", error.strerror)  # noqa: TRY400 - the disk, not the code
            return "452 4.3.1 It cannot be kept at the moment: try again"
        log.info("kept %s, %d bytes", mail.id, len(raw))
        return f"250 2.0.0 OK: kept as {mail.id}"


class _Connection(SMTP):
    """One connection. Lines may be long, so that broken mail is taken too; the size limit still holds."""

    line_length_limit = 1024 * 1024

    def __init__(self, taking: Taking, others: "set[_Connection]", size_limit: int) -> None:
        super().__init__(
            taking,
            data_size_limit=size_limit,
            enable_SMTPUTF8=True,
            hostname="mail-sink",
            ident="keeps all, delivers none",
            timeout=SILENCE_SECONDS,
            loop=asyncio.get_running_loop(),
        )
        self._others = others

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._others.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._others.discard(self)
        super().connection_lost(error)


class _Refusal(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = cast("asyncio.Transport", transport)  # uvloop's share no class with it
        connection.write(b"421 4.3.2 Too many connections: try again\r\n")
        connection.close()


@asynccontextmanager
async def smtp_server(mailbox: Mailbox, host: str, port: int, *, size_limit: int) -> AsyncGenerator[None]:
    """Listens while the context is open. Raises OSError where the port is taken."""
    taking = Taking(mailbox)
    connections: set[_Connection] = set()

    def connection() -> asyncio.Protocol:
        if len(connections) >= CONNECTIONS:
            return _Refusal()
        return _Connection(taking, connections, size_limit)

    server = await asyncio.get_running_loop().create_server(connection, host, port)
    try:
        yield
    finally:
        server.close()
        await taking.finish()
        for left in list(connections):
            if left.transport is not None:
                left.transport.close()


def _text(address: str | None) -> str:
    """An address as text: empty for nobody (`<>`, as bounces come); what is no UTF-8 shows as such."""
    return (
        (address or "")
        .removeprefix("<")
        .removesuffix(">")
        .encode("utf-8", "surrogateescape")
        .decode("utf-8", "replace")
    )
