"""The mail server over SMTP."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.headerregistry import Address
from typing import Final, Literal, NoReturn, cast

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from notification_worker.adapters.mail import address_of, bytes_of
from notification_worker.domain import Mail
from notification_worker.ports import MailCutOffError, MailRefusedError, MailServerAwayError
from shared.service.tracing import calling

Security = Literal["none", "starttls", "tls"]

CONNECTIONS: Final = 4
QUIT_SECONDS: Final = 1.0
TAKEN_MAX: Final = 10_000
ANSWER_SHOWN: Final = 300
_OURS: Final = frozenset({530, 534, 535, 538})
"""Refusals that are about our login, not about the mail (RFC 4954): it can go once that is mended."""
_PERMANENT: Final = range(500, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where mails go, from whom, and how; `time_limit` is for a whole conversation, in seconds."""

    host: str
    port: int
    sender: Address
    username: str | None = None
    password: str | None = None
    security: Security = "none"
    time_limit: float = 10.0
    tls: ssl.SSLContext | None = None
    """None: the certificates that this machine trusts."""


class SmtpMailer:
    """Implements the port `Mailer` with a few connections that are kept.

    A connection that was used before is asked first whether it is still there; one that met trouble is
    closed and never used again.
    """

    def __init__(self, server: SmtpServer, *, connections: int = CONNECTIONS) -> None:
        self._server = server
        self._places = asyncio.Semaphore(connections)
        self._idle: list[SMTP] = []
        self._taken: dict[str, None] = {}
        self._met: str | None = None
        """What was wrong with the server in the last conversation that has ended."""
        self._talking = 0
        self._heard = asyncio.Event()  # a connection has come about, or not

    @property
    def longest(self) -> float:
        return self._server.time_limit

    @asynccontextmanager
    async def connection(self) -> "AsyncGenerator[SmtpConnection]":
        async with self._place():
            ends = asyncio.get_running_loop().time() + self._server.time_limit
            try:
                client = await self._connected(ends)
            except MailServerAwayError as error:
                self._met = str(error)
                raise
            finally:
                self._heard.set()
            connection = SmtpConnection(client, self._server, ends, self._taken)
            self._talking += 1
            try:
                yield connection
            except (MailServerAwayError, MailCutOffError) as error:
                self._met = str(error)
                raise
            finally:
                self._talking -= 1
                if connection.is_sound:
                    self._met = None  # it has answered, be it with a refusal of that one mail
                if connection.is_sound and client.is_connected:
                    self._idle.append(client)
                else:
                    _drop(client)

    def was_taken(self, mail_id: str) -> bool:
        return mail_id in self._taken

    def forget(self, mail_id: str) -> None:
        self._taken.pop(mail_id, None)

    async def trouble(self) -> str | None:
        """Why no mail could be sent now, for a person; None if one could. Whoever asks limits the time.

        While all connections are in use, it is what the last conversation met: to wait for one would
        tell how busy they are. Where none of them has come about yet, the first answer is waited for.
        """
        if self._places.locked():
            if not self._talking and self._met is None:
                self._heard.clear()
                await self._heard.wait()
            return self._met
        try:
            async with self.connection():
                return None
        except MailServerAwayError as error:
            return str(error)

    async def close(self) -> None:
        """Takes leave of the server, if it answers soon."""
        while self._idle:
            client = self._idle.pop()
            with suppress(SMTPException, OSError, TimeoutError):
                await client.quit(timeout=QUIT_SECONDS)
            _drop(client)

    @asynccontextmanager
    async def _place(self) -> AsyncGenerator[None]:
        """One of the few; whoever waits longer than a conversation may last would outlast its handler."""
        try:
            async with asyncio.timeout(self._server.time_limit):
                await self._places.acquire()
        except TimeoutError:
            raise MailServerAwayError("all connections are busy") from None
        try:
            yield
        finally:
            self._places.release()

    async def _connected(self, ends: float) -> SMTP:
        """A connection that answers: one that was kept, else a new one."""
        while self._idle:
            client = self._idle.pop()
            if await _still_answers(client, ends):
                return client
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            local_hostname=_own_name(),
            timeout=server.time_limit,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=server.tls,
        )
        try:
            async with asyncio.timeout_at(ends):
                await client.connect()
                await _greet(client)
        except SMTPAuthenticationError as error:
            _drop(client)
            raise MailServerAwayError(f"the mail server refuses our login ({error.code})") from error
        except (SMTPException, OSError, TimeoutError, ValueError) as error:
            _drop(client)
            raise MailServerAwayError(f"no mail server: {_said(error)}") from error
        except BaseException:
            _drop(client)
            raise
        return client


class SmtpConnection:
    """Implements the port `MailConnection`; one turn, which ends by the loop's time `ends`."""

    def __init__(self, client: SMTP, server: SmtpServer, ends: float, taken: dict[str, None]) -> None:
        self._client = client
        self._server = server
        self._ends = ends
        self._taken = taken
        self.is_sound = True
        """Whether the connection can be used again."""

    async def send(self, mail: Mail) -> None:
        content = bytes_of(mail, self._server.sender)
        to = address_of(mail.to)
        options = self._options(to)
        self.is_sound = False
        has_content = False
        try:
            with calling("smtp send", **{"server.address": self._server.host}):
                async with asyncio.timeout_at(self._ends):
                    await self._client.mail(
                        self._server.sender.addr_spec,
                        options=options,
                        encoding="utf-8" if options else "ascii",
                    )
                    await self._client.rcpt(to.addr_spec, encoding="utf-8" if options else "ascii")
                    has_content = True
                    await self._client.data(content)
        except (SMTPSenderRefused, SMTPRecipientRefused, SMTPDataError) as error:
            self.is_sound = True
            self._refused(error, has_content=has_content)
        except (SMTPException, OSError, TimeoutError) as error:
            if has_content:
                raise MailCutOffError(f"cut off after the mail was given away: {_said(error)}") from error
            raise MailServerAwayError(f"cut off before the mail was given away: {_said(error)}") from error
        self.is_sound = True
        if len(self._taken) >= TAKEN_MAX:
            del self._taken[next(iter(self._taken))]
        self._taken[mail.id] = None

    def _options(self, to: Address) -> list[str]:
        if to.username.isascii():
            return []
        if not self._client.supports_extension("smtputf8"):
            raise MailRefusedError("the mail server takes no address that is not ASCII")
        return ["SMTPUTF8", "BODY=8BITMIME"]

    def _refused(self, error: SMTPResponseException, *, has_content: bool) -> NoReturn:
        """What an answer means that is not the one hoped for. A yes to DATA itself took nothing yet."""
        if error.code in _PERMANENT and error.code not in _OURS:
            raise MailRefusedError(f"refused: {_said(error)}") from error
        if has_content and error.code // 100 != 4 and error.code not in _OURS:  # noqa: PLR2004 4yz: for now
            self.is_sound = False
            raise MailCutOffError(f"an answer that is none: {_said(error)}") from error
        raise MailServerAwayError(f"not now: {_said(error)}") from error


async def _greet(client: SMTP) -> None:
    """Asks what the server can do, where encryption or login have not done so already."""
    if client.last_ehlo_response is None:
        with suppress(SMTPResponseException):  # an old server is greeted in the old way, with the first mail
            await client.ehlo()


async def _still_answers(client: SMTP, ends: float) -> bool:
    try:
        async with asyncio.timeout_at(ends):
            if client.is_connected:
                await client.rset()
                return True
    except (SMTPException, OSError, TimeoutError):
        pass
    except BaseException:
        _drop(client)
        raise
    _drop(client)
    return False


def _drop(client: SMTP) -> None:
    """Closes at once, without waiting for a server that may never answer."""
    transport = client.transport
    client.close()
    if transport is not None:
        cast("asyncio.Transport", transport).abort()


def _own_name() -> str:
    """What we call ourselves: the machine's name where it is a host name, without asking DNS."""
    name = socket.gethostname()
    is_name = name.isascii() and all(part.replace("-", "a").isalnum() for part in name.split("."))
    return name if is_name else "localhost"


def _said(error: BaseException) -> str:
    """The answer or the trouble, on one short line."""
    if isinstance(error, SMTPResponseException):
        text = f"{error.code} {error.message}"
    else:
        text = str(error) or type(error).__name__
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:ANSWER_SHOWN]
