"""The sink as a process, over real SMTP and HTTP."""

import smtplib
import socket
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import Process, free_port, is_listening, until


class Sink:
    """A sink on free ports that may be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.smtp, self.http = free_port(), free_port()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.http}", trust_env=False)
        self.process = self.start()

    def start(self) -> Process:
        self.process = Process(
            [sys.executable, "-m", "mail_sink"],
            log=self._directory / "log",
            environment={
                "MAIL_SINK_SMTP_PORT": str(self.smtp),
                "MAIL_SINK_PORT": str(self.http),
                "MAIL_SINK_DIR": str(self._directory / "mails"),
                "MAIL_SINK_SIZE_LIMIT": "100000",
            },
        )
        until(self._is_ready, within=20)
        return self.process

    def connect(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.smtp, timeout=10)

    def send(self, content: bytes, *recipients: str, options: tuple[str, ...] = ()) -> None:
        with self.connect() as client:
            client.sendmail("shop@example.com", recipients or ["ada@example.com"], content, options)

    def listed(self, **query: int) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.get("/api/v1/messages", params=query).json()
        return answer

    def _is_ready(self) -> bool:
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sink]:
    sink = Sink(tmp_path_factory.mktemp("sink"))
    yield sink
    sink.client.close()
    sink.process.end()


@pytest.fixture
def sink(running: Sink) -> Sink:
    running.client.delete("/api/v1/messages").raise_for_status()
    return running


def test_a_mail_is_listed_in_mailpits_shape_with_its_texts_and_headers(sink: Sink) -> None:
    sink.send(
        b"From: Shop <shop@example.com>\r\nTo: Ada <ada@example.com>\r\nSubject: Paid\r\n\r\nThanks\r\n",
        "ada@example.com",
        "hidden@example.com",
    )

    answer = sink.listed()

    (message,) = answer["messages"]
    assert answer["total"] == 1
    assert message["From"] == {"Name": "Shop", "Address": "shop@example.com"}
    assert message["To"] == [
        {"Name": "Ada", "Address": "ada@example.com"},
        {"Name": "", "Address": "hidden@example.com"},
    ]
    assert (message["Subject"], message["Text"], message["HTML"]) == ("Paid", "Thanks\n", "")
    assert message["Headers"]["Subject"] == ["Paid"]
    assert message["ID"]


def test_the_newest_comes_first_and_a_limit_changes_no_total(sink: Sink) -> None:
    for subject in ("one", "two", "three"):
        sink.send(f"Subject: {subject}\r\n\r\n".encode())

    assert [message["Subject"] for message in sink.listed()["messages"]] == ["three", "two", "one"]
    assert [message["Subject"] for message in sink.listed(limit=1, start=1)["messages"]] == ["two"]
    assert sink.listed(limit=1)["total"] == 3


def test_what_was_answered_250_survives_kill_9(sink: Sink) -> None:
    with sink.connect() as client:
        client.sendmail("shop@example.com", ["ada@example.com"], b"Subject: durable\r\n\r\n")
        sink.process.kill9()
        client.close()

    sink.start()

    assert [message["Subject"] for message in sink.listed()["messages"]] == ["durable"]


def test_utf8_is_offered_and_kept_in_addresses_headers_and_bodies(sink: Sink) -> None:
    sink.send(
        "Subject: Grüße\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nüber".encode(),
        "zoë@example.com",
        options=("SMTPUTF8", "BODY=8BITMIME"),
    )

    (message,) = sink.listed()["messages"]
    assert (message["Subject"], message["Text"].strip()) == ("Grüße", "über")
    assert message["To"] == [{"Name": "", "Address": "zoë@example.com"}]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"no header", b"Subject: x\r\n\r\n" + b"y" * 20_000])
def test_a_broken_mail_is_taken_too(sink: Sink, content: bytes) -> None:
    sink.send(content)

    assert sink.listed()["total"] == 1


def test_a_mail_past_the_size_limit_is_refused_for_good(sink: Sink) -> None:
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        sink.send(b"x" * 200_000)

    assert refused.value.smtp_code == 552
    assert sink.listed()["total"] == 0


def test_many_connections_at_once_lose_no_mail(sink: Sink) -> None:
    subjects = [f"{number:02d}" for number in range(60)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(sink.send, [f"Subject: {subject}\r\n\r\n".encode() for subject in subjects]))

    assert sorted(message["Subject"] for message in sink.listed()["messages"]) == subjects


def test_past_its_connections_it_says_come_again_and_takes_mail_once_some_are_gone(sink: Sink) -> None:
    held = [socket.create_connection(("127.0.0.1", sink.smtp)) for _ in range(200)]
    try:
        for connection in held:
            assert connection.recv(100).startswith(b"220")
        with pytest.raises(smtplib.SMTPConnectError) as refused:
            sink.connect()
        assert refused.value.smtp_code == 421
    finally:
        for connection in held:
            connection.close()

    until(lambda: _takes(sink), within=10)


def test_the_page_shows_a_mail_without_letting_it_do_anything(sink: Sink) -> None:
    html = "<b>Hello</b><script>alert(1)</script>"
    sink.send(f"Subject: <i>sly</i>\r\nContent-Type: text/html\r\n\r\n{html}".encode())
    (message,) = sink.listed()["messages"]

    page = sink.client.get("/", params={"mail": message["ID"]})
    frame = sink.client.get(f"/mails/{message['ID']}")

    assert "&lt;i&gt;sly&lt;/i&gt;" in page.text
    assert f'<iframe sandbox src="/mails/{message["ID"]}"' in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert html in frame.text
    assert frame.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_a_page_elsewhere_that_points_its_name_here_reads_nothing(sink: Sink) -> None:
    assert sink.client.get("/api/v1/messages", headers={"Host": "evil.example"}).status_code == 400


def test_sigterm_closes_both_ports(tmp_path: Path) -> None:
    sink = Sink(tmp_path)
    with sink.connect():
        assert sink.process.stop(within=10) in (0, -15)
    sink.client.close()

    assert not is_listening(sink.smtp)
    assert not is_listening(sink.http)


def test_a_bad_setting_is_one_line(tmp_path: Path) -> None:
    with Process(
        [sys.executable, "-m", "mail_sink"],
        log=tmp_path / "log",
        environment={"MAIL_SINK_PORT": "high"},
    ) as process:
        assert process.wait(20) == 2

    assert (tmp_path / "log").read_text().count("\n") == 1


def _takes(sink: Sink) -> bool:
    try:
        sink.send(b"Subject: again\r\n\r\n")
    except smtplib.SMTPConnectError:
        return False
    return True
