"""A real mail server in the process of a test, that can be as bad as one likes."""

import asyncio
import ssl
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from enum import StrEnum
from typing import Any, Self, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from support.ports import free_port


class Manner(StrEnum):
    """How the server treats whoever comes."""

    ACCEPT = "accept"
    REFUSE_RECIPIENT = "refuse recipient"
    REFUSE_CONTENT = "refuse content"
    GREYLIST = "greylist"
    BUSY_AFTER_CONTENT = "busy after content"
    CLOSE_AFTER_CONTENT = "close after content"
    HANG_AFTER_CONTENT = "hang after content"
    HANG_AT_RECIPIENT = "hang at recipient"


@dataclass(frozen=True, slots=True)
class Received:
    """A mail that the server had in full, whether it said so or not."""

    to: str
    message: EmailMessage
    raw: bytes

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        assert part is not None
        return cast("str", cast("EmailMessage", part).get_content())

    @property
    def html(self) -> str:
        part = self.message.get_body(("html",))
        assert part is not None
        return cast("str", cast("EmailMessage", part).get_content())


@dataclass
class MailServer:
    """Listens on a port of its own between `start` and `stop`, as often as one likes."""

    manner: Manner = Manner.ACCEPT
    utf8: bool = False
    login: tuple[str, str] | None = None
    tls: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list[Received])
    tries: int = 0
    """How often a recipient was named."""
    connections: int = 0
    encrypted: int = 0
    """How many mails came over TLS."""
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._open: list[_Speaking] = []
        self.hanging = asyncio.Event()
        """Set while somebody waits for an answer that does not come."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        def speak() -> _Speaking:
            self.connections += 1
            speaking = _Speaking(
                self,
                hostname="mail.test",
                enable_SMTPUTF8=self.utf8,
                authenticator=self._login if self.login else None,
                auth_require_tls=False,
                tls_context=self.tls,
            )
            self._open.append(speaking)
            return speaking

        self._server = await asyncio.get_running_loop().create_server(speak, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        self.hang_up()
        await asyncio.sleep(0)

    def hang_up(self) -> None:
        """Ends all connections, as a server does with those that are idle."""
        while self._open:
            self._open.pop().end()

    def _login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        expected = self.login
        return AuthResult(success=(data.login.decode(), data.password.decode()) == expected, handled=False)

    async def handle_RCPT(  # noqa: N802 aiosmtpd's name
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.tries += 1
        match self.manner:
            case Manner.REFUSE_RECIPIENT:
                return "550 5.1.1 no such person"
            case Manner.GREYLIST:
                return "451 4.7.1 come again"
            case Manner.HANG_AT_RECIPIENT:
                await self._hang()
            case _:
                pass
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 aiosmtpd's name
        match self.manner:
            case Manner.REFUSE_CONTENT:
                return "554 5.7.1 it looks like spam"
            case Manner.BUSY_AFTER_CONTENT:
                return "452 4.3.1 no room"
            case _:
                pass
        self.encrypted += bool(session.ssl)
        raw = envelope.original_content or b""
        message = message_from_bytes(raw, policy=default)
        self.received.append(Received(envelope.rcpt_tos[0], message, raw))
        match self.manner:
            case Manner.CLOSE_AFTER_CONTENT:
                server.transport.close()
            case Manner.HANG_AFTER_CONTENT:
                await self._hang()
            case _:
                pass
        return "250 OK"

    async def _hang(self) -> None:
        self.hanging.set()
        await asyncio.Event().wait()


class _Speaking(SMTP):
    """One connection."""

    def end(self) -> None:
        if self.transport:
            self.transport.close()
        if self._handler_coroutine:
            self._handler_coroutine.cancel()
