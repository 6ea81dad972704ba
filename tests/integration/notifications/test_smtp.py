"""The mail server's adapter: login, encryption, old and new servers, and whether it is well."""

import asyncio
import shutil
import ssl
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest

from adapters.mail_server import MailServer, Manner
from notification_worker.adapters.smtp import CONNECTIONS, SmtpMailer, SmtpServer
from notification_worker.domain import Content, Mail
from notification_worker.ports import MailCutOffError, MailRefusedError, MailServerAwayError
from shared.queue.tasks import end_all
from support.missing import skip_or_fail
from support.waiting import eventually

HELLO = Content("Hello", "Hi", None)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def mail_to(address: str, mail_id: str = "m-1") -> Mail:
    return Mail(mail_id, address, None, HELLO, NOW)


def mailer_of(server: MailServer, **changes: Any) -> SmtpMailer:
    given: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "time_limit": 10.0}
    return SmtpMailer(SmtpServer(sender=Address("", "shop", "shop.example"), **(given | changes)))


async def send(mailer: SmtpMailer, mail: Mail) -> None:
    async with mailer.connection() as connection:
        await connection.send(mail)


async def test_it_logs_in_where_it_has_a_name(server: MailServer) -> None:
    server.login = ("shop", "a secret")
    mailer = mailer_of(server, username="shop", password="a secret")

    await send(mailer, mail_to("ada@example.com"))

    assert len(server.received) == 1
    await mailer.close()


async def test_a_login_that_is_refused_waits_for_a_person_and_tells_no_secret(server: MailServer) -> None:
    server.login = ("shop", "a secret")
    mailer = mailer_of(server, username="shop", password="a wrong one")

    with pytest.raises(MailServerAwayError) as refused:
        await send(mailer, mail_to("ada@example.com"))

    assert str(refused.value) == "the mail server refuses our login (535)"


async def test_a_server_that_offers_no_starttls_gets_no_mail_that_needs_it(server: MailServer) -> None:
    mailer = mailer_of(server, security="starttls")

    with pytest.raises(MailServerAwayError):
        await send(mailer, mail_to("ada@example.com"))

    assert server.received == []


async def test_a_server_that_speaks_no_tls_gets_no_mail_that_needs_it(server: MailServer) -> None:
    mailer = mailer_of(server, security="tls", tls=ssl.create_default_context())

    with pytest.raises(MailServerAwayError):
        await send(mailer, mail_to("ada@example.com"))


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1 of its own making, in `server.pem`."""
    if not shutil.which("openssl"):
        skip_or_fail("there is no openssl to make a certificate with")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "server.key", "-out", "server.pem"]
    subprocess.run([*command.split(), *files], check=True, cwd=tmp_path, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    return context


async def test_starttls_encrypts_where_the_certificate_is_trusted(
    server: MailServer, certificate: ssl.SSLContext, tmp_path: Path
) -> None:
    server.tls = certificate
    trusted = ssl.create_default_context(cafile=str(tmp_path / "server.pem"))
    mailer = mailer_of(server, security="starttls", tls=trusted, time_limit=10.0)

    await send(mailer, mail_to("ada@example.com"))

    assert server.encrypted == 1
    await mailer.close()


async def test_a_certificate_that_nobody_vouches_for_gets_no_mail(
    server: MailServer, certificate: ssl.SSLContext
) -> None:
    server.tls = certificate
    mailer = mailer_of(server, security="starttls", time_limit=10.0)

    with pytest.raises(MailServerAwayError, match="certificate"):
        await send(mailer, mail_to("ada@example.com"))

    assert server.received == []


async def test_an_address_that_is_not_ascii_needs_a_server_that_takes_such(server: MailServer) -> None:
    mailer = mailer_of(server)

    with pytest.raises(MailRefusedError, match="not ASCII"):
        await send(mailer, mail_to("łada@example.com"))
    await send(mailer, mail_to("ada@bücher.example"))

    assert [mail.to for mail in server.received] == ["ada@xn--bcher-kva.example"]
    assert server.connections == 1
    await mailer.close()


async def test_an_address_that_is_not_ascii_reaches_a_server_that_takes_such() -> None:
    async with MailServer(utf8=True) as server:
        mailer = mailer_of(server)
        await send(mailer, mail_to("łada@example.com"))
        await mailer.close()

    (mail,) = server.received
    assert mail.to == "łada@example.com"
    assert "\r\nTo: łada@example.com\r\n".encode() in mail.raw


async def test_a_refusal_leaves_the_connection_usable(server: MailServer) -> None:
    mailer = mailer_of(server)
    server.manner = Manner.REFUSE_RECIPIENT
    with pytest.raises(MailRefusedError):
        await send(mailer, mail_to("ada@example.com"))
    server.manner = Manner.ACCEPT

    await send(mailer, mail_to("ada@example.com"))

    assert (len(server.received), server.connections) == (1, 1)
    await mailer.close()


async def test_a_conversation_ends_in_time_however_slow_the_server_is(server: MailServer) -> None:
    server.manner = Manner.HANG_AFTER_CONTENT
    loop = asyncio.get_running_loop()
    started = loop.time()

    with pytest.raises(MailCutOffError):
        await send(mailer_of(server, time_limit=2.0), mail_to("ada@example.com"))

    assert loop.time() - started < 8


@pytest.mark.parametrize("answer", [b"250 OK", b"200 so be it"])
async def test_a_server_that_says_yes_before_it_has_the_mail_has_not_taken_it(answer: bytes) -> None:
    said: list[bytes] = []
    left = asyncio.Event()

    async def agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        with suppress(OSError):
            while line := await reader.readline():
                said.append(line)
                writer.write(answer + b"\r\n" if line == b"DATA\r\n" else b"250 OK\r\n")
        writer.close()
        left.set()

    yes = await asyncio.start_server(agree, "127.0.0.1", 0)
    port = yes.sockets[0].getsockname()[1]
    mailer = SmtpMailer(SmtpServer(host="127.0.0.1", port=port, sender=Address("", "shop", "shop.example")))

    with pytest.raises(MailCutOffError):
        await send(mailer, mail_to("ada@example.com"))

    assert not mailer.was_taken("m-1")
    await asyncio.wait_for(left.wait(), 5)
    assert said[-1] == b"DATA\r\n"  # the connection is used for nothing more
    yes.close()


async def test_who_finds_all_connections_busy_waits_no_longer_than_a_conversation_may_last(
    server: MailServer,
) -> None:
    server.manner = Manner.HANG_AT_RECIPIENT
    mailer = mailer_of(server, time_limit=1.0)
    loop = asyncio.get_running_loop()
    started = loop.time()

    mails = [send(mailer, mail_to("ada@example.com", f"m-{number}")) for number in range(40)]
    outcomes = await asyncio.gather(*mails, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {MailServerAwayError}
    assert "all connections are busy" in {str(outcome) for outcome in outcomes}
    assert loop.time() - started < 6  # four at a time it would be ten
    server.manner = Manner.ACCEPT
    await send(mailer, mail_to("ada@example.com"))
    await mailer.close()


async def test_a_server_that_never_greets_is_away(server: MailServer) -> None:
    silent = await asyncio.start_server(_say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    mailer = mailer_of(server, port=port, time_limit=0.3)

    with pytest.raises(MailServerAwayError):
        await send(mailer, mail_to("ada@example.com"))

    assert await mailer.trouble()
    silent.close()


async def test_a_server_that_is_no_mail_server_is_away(server: MailServer) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 100_000)
        writer.close()

    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    mailer = mailer_of(server, port=other.sockets[0].getsockname()[1])

    with pytest.raises(MailServerAwayError):
        await send(mailer, mail_to("ada@example.com"))
    other.close()


async def test_many_mails_at_once_share_a_few_connections(server: MailServer) -> None:
    mailer = mailer_of(server, time_limit=10.0)

    await asyncio.gather(*(send(mailer, mail_to("ada@example.com", f"m-{number}")) for number in range(40)))

    assert len({mail.id for mail in server.received}) == 40
    assert server.connections <= 4
    await mailer.close()


async def test_it_is_well_while_the_server_answers(server: MailServer) -> None:
    mailer = mailer_of(server)
    assert await mailer.trouble() is None

    await server.stop()
    trouble = await mailer.trouble()
    assert trouble
    assert trouble.startswith("no mail server")

    await server.start()
    assert await mailer.trouble() is None
    assert await mailer.trouble() is None
    assert server.connections == 2
    await mailer.close()


async def test_it_is_well_while_all_connections_are_busy_with_a_slow_server(server: MailServer) -> None:
    server.manner = Manner.HANG_AT_RECIPIENT
    mailer = mailer_of(server, time_limit=10.0)
    async with asyncio.TaskGroup() as sending:
        mails = [sending.create_task(send(mailer, mail_to("ada@example.com"))) for _ in range(6)]
        await eventually(lambda: server.tries == CONNECTIONS)

        trouble = await mailer.trouble()

        await end_all(mails)
    assert trouble is None


@pytest.mark.parametrize(
    ("manner", "is_well"), [(Manner.GREYLIST, True), (Manner.CLOSE_AFTER_CONTENT, False)]
)
async def test_a_mail_that_is_refused_is_no_trouble_and_one_that_is_cut_off_is(
    server: MailServer, manner: Manner, is_well: bool
) -> None:
    server.manner = manner
    mailer = mailer_of(server, time_limit=10.0)
    with pytest.raises((MailServerAwayError, MailCutOffError)):
        await send(mailer, mail_to("ada@example.com"))
    server.manner = Manner.HANG_AT_RECIPIENT
    async with asyncio.TaskGroup() as sending:
        mails = [sending.create_task(send(mailer, mail_to("ada@example.com"))) for _ in range(CONNECTIONS)]
        await asyncio.sleep(0)

        trouble = await mailer.trouble()

        await end_all(mails)
    assert (trouble is None) == is_well


async def test_while_all_connections_are_busy_it_says_what_the_last_one_met(server: MailServer) -> None:
    server.manner = Manner.HANG_AT_RECIPIENT
    mailer = mailer_of(server, time_limit=10.0)
    await server.stop()
    with pytest.raises(MailServerAwayError) as away:
        await send(mailer, mail_to("ada@example.com"))
    silent = await asyncio.start_server(_say_nothing, "127.0.0.1", server.port)
    async with asyncio.TaskGroup() as sending:
        mails = [sending.create_task(send(mailer, mail_to("ada@example.com"))) for _ in range(CONNECTIONS)]
        await asyncio.sleep(0)

        trouble = await mailer.trouble()

        await end_all(mails)
    silent.close()
    assert trouble == str(away.value)


async def test_a_silent_server_that_holds_all_connections_has_no_answer_to_tell(server: MailServer) -> None:
    await server.stop()
    silent = await asyncio.start_server(_say_nothing, "127.0.0.1", server.port)
    mailer = mailer_of(server, time_limit=10.0)
    async with asyncio.TaskGroup() as sending:
        mails = [sending.create_task(send(mailer, mail_to("ada@example.com"))) for _ in range(CONNECTIONS)]
        await asyncio.sleep(0)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(mailer.trouble(), 0.5)

        await end_all(mails)
    silent.close()


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        await reader.read()
    writer.close()
