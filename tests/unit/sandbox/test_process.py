"""The sandbox as a process: what it keeps, and how it stops."""

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import httpx
import pytest

from adapters.sandbox import Sandbox, sandbox_in
from support.processes import Process
from support.waiting import until

CAPTURE = {"payment_id": "p-1", "order_id": "o-1", "amount": 500, "currency": "EUR"}
KEY = {"Idempotency-Key": "k-1"}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox_in(tmp_path) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, trust_env=False, timeout=10) as client:
        yield client


def capture(client: httpx.Client, method: str, timeout: float = 10) -> httpx.Response:
    return client.post("/v1/captures", json={**CAPTURE, "method": method}, headers=KEY, timeout=timeout)


def test_a_kill_loses_nothing_of_the_ledger_nor_of_the_keys(sandbox: Sandbox, client: httpx.Client) -> None:
    first = capture(client, "tok_ok").json()

    sandbox.process.kill9()
    sandbox.start()

    assert capture(client, "tok_ok").json() == first
    assert sandbox.moved() == [("capture", "p-1", 500)]


def test_a_silent_capture_has_happened_and_its_key_tells(sandbox: Sandbox, client: httpx.Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        capture(client, "tok_timeout_after_charge", timeout=1)

    until(lambda: sandbox.moved() == [("capture", "p-1", 500)])
    assert capture(client, "tok_timeout_after_charge").json()["status"] == "captured"
    assert sandbox.moved() == [("capture", "p-1", 500)]


def hang(url: str) -> None:
    httpx.post(
        f"{url}/v1/captures",
        json={**CAPTURE, "method": "tok_timeout_after_charge"},
        headers=KEY,
        trust_env=False,
        timeout=30,
    )


def test_it_stops_at_once_though_a_request_hangs(sandbox: Sandbox) -> None:
    hanging = Thread(target=hang, args=[sandbox.url])
    hanging.start()
    until(lambda: len(sandbox.moved()) == 1)
    began = time.monotonic()

    sandbox.process.stop(by=signal.SIGTERM)

    assert time.monotonic() - began < 5
    hanging.join(5)
    assert not hanging.is_alive()
    assert "Traceback" not in sandbox.output()


def test_a_bad_setting_stops_the_start_with_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "payment_sandbox"]
    log = tmp_path / "log"
    with Process(command, log=log, environment={"SANDBOX_ERROR_SHARE": "2"}) as process:
        assert process.wait(30) == 2

    (line,) = log.read_text().splitlines()
    assert line.startswith("payment-sandbox: SANDBOX_ERROR_SHARE: ")
