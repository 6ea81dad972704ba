"""What the proofs share: their size, and a system of each test's own."""

import os
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.postgres import PostgresServer
from support.system import Shape, System

SAW = "saw"
FULL = os.environ.get("SIZE") == "full"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the proofs saw, under their results."""
    reports: list[pytest.TestReport] = [
        report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)
    ]
    said = [
        f"{report.nodeid.rpartition('::')[2]}: {what}"
        for report in reports
        for name, what in report.user_properties
        if name == SAW and report.when == "call"
    ]
    if said:
        terminalreporter.section("what the proofs saw")
        terminalreporter.write_line("\n".join(said))


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[object], None]:
    """Says under the results what a proof saw."""
    return lambda what: record_property(SAW, what)


@pytest.fixture(scope="session")
def sized() -> Callable[[int, int], int]:
    """A number in the size of CI, or with `SIZE=full` in full size."""
    return lambda ci, full: full if FULL else ci


@pytest.fixture
def start_system(tmp_path: Path) -> Generator[Callable[[Shape], System]]:
    """Starts a system of the given shape, on SQLite, that ends with the test."""
    with ExitStack() as systems:
        yield lambda shape: systems.enter_context(System(tmp_path, shape))


@pytest.fixture
def own_postgres() -> Generator[PostgresServer]:
    """A PostgreSQL server that the test may crash."""
    with PostgresServer() as server:
        yield server
