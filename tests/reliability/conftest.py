"""What the proofs share: their size, and a system of each test's own."""

import os
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from support.postgres import PostgresServer
from support.system import Shape, System

FULL = os.environ.get("SIZE") == "full"


class Sized(Protocol):
    """A number in the size of CI, or with `SIZE=full` in full size."""

    def __call__(self, ci: int, full: int) -> int: ...


@pytest.fixture(scope="session")
def sized() -> Sized:
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
