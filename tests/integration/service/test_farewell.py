"""A service that is about to be stopped tells who keeps a connection to come no more on it."""

import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import httpx
import pytest

from shared.store.migrate import migrate
from support import Process, free_port, until

OK = 200


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def gateway(tmp_path: Path, port: int) -> Iterator[Process]:
    """A gateway that has no Redis."""
    settings = {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'gateway.db'}",
        "QUEUE_ADMIN_KEY": "the key of an admin",
        "QUEUE_SERVICE_KEY": "the key of the services",
        "GATEWAY_PORT": str(port),
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
    }
    migrate(settings["DATABASE_URL"], "gateway")
    with Process([sys.executable, "-m", "gateway"], log=tmp_path / "log", environment=settings) as process:
        until(lambda: is_alive(port), within=60)
        yield process


def is_alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez", timeout=1).status_code == OK
    except httpx.TransportError:
        return False


def ask(connection: HTTPConnection) -> HTTPResponse:
    connection.request("GET", "/livez")
    answer = connection.getresponse()
    answer.read()
    return answer


def is_given_up_at_once(port: int) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as new:
        return ask(new).getheader("connection") == "close"


def test_from_sigusr1_on_a_kept_connection_is_given_up_with_its_next_answer(
    gateway: Process, port: int
) -> None:
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as kept:
        before = [ask(kept).getheader("connection") for _ in range(2)]
        gateway.send(signal.SIGUSR1)
        until(lambda: is_given_up_at_once(port))  # the signal is heard when the process comes to it

        last = ask(kept)

        assert before == [None, None]
        assert (last.status, last.getheader("connection")) == (OK, "close")
        assert kept.sock is None, "the client has closed it, as it was asked to"
    assert is_alive(port), "it goes on to answer whoever comes"
