"""The sandbox provider as a process of its own."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from support.forked import Forked
from support.ports import free_port
from support.waiting import until


class Sandbox:
    """The provider on a port of its own, which it keeps when it is started again."""

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._environment = {
            **settings,
            "PAYMENT_SANDBOX_PORT": self.url.rpartition(":")[2],
            "PAYMENT_SANDBOX_DATABASE": str(directory / "sandbox.db"),
        }
        self._directory = directory
        self._log = directory / "sandbox.log"
        self.process = self.start()

    def start(self) -> Forked:
        """Starts it again, on the same ledger."""
        self.process = Forked(
            "payment_sandbox.__main__",
            log=self._log,
            environment=self._environment,
            directory=self._directory,
        )
        until(self._answers, within=30)
        return self.process

    def ledger(self) -> list[dict[str, Any]]:
        """What really happened, newest last."""
        entries: list[dict[str, Any]] = self._get("/v1/ledger").json()["entries"]
        return entries

    def moved(self) -> list[tuple[str, str, int]]:
        """The money that moved: kind, payment and amount of each entry."""
        return [(entry["kind"], entry["payment_id"], entry["amount"]) for entry in self.ledger()]

    def output(self) -> str:
        return self._log.read_text()

    def _get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, trust_env=False, timeout=5)

    def _answers(self) -> bool:
        try:
            return self._get("/readyz").is_success
        except httpx.TransportError:
            return False


@contextmanager
def sandbox_in(directory: Path, **settings: str) -> Generator[Sandbox]:
    sandbox = Sandbox(directory, settings)
    try:
        yield sandbox
    finally:
        sandbox.process.end()
