# ruff: noqa: INP001 mounted into a pod and run by its path
"""Waits for a database: `wait.py order_worker database` until it answers, `… tables` until it is migrated.

Run in the service's own image, before the service or its migration. A database that is newer than the service
will do: while a new release is rolled out, pods of the old one may still have to start.
"""

import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.resources import as_file, files
from typing import NoReturn

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from shared.service.settings import load
from shared.store.database import async_url

EVERY_SECONDS = 1.0
CONNECT_SECONDS = 5


def answers(url: str, _: str) -> bool:
    """Whether the database can be logged in to. Raises what the database raises."""
    _revisions(url)
    return True


def has_tables(url: str, module: str) -> bool:
    """Whether the database is at the service's newest revision, or at one that the service does not know."""
    there = _revisions(url)
    with as_file(files(module) / "migrations") as folder:
        scripts = ScriptDirectory(str(folder))
        known = {script.revision for script in scripts.walk_revisions()}
        return bool(there - known) or there >= set(scripts.get_heads())


def wait(
    is_there: Callable[[str, str], bool], url: str, module: str, *, every: float = EVERY_SECONDS
) -> None:
    """Returns once it is there; says a line whenever what it waits for changes."""
    said = ""
    while True:
        try:
            if is_there(url, module):
                return
            trouble = "its database is not migrated yet"
        except SQLAlchemyError as error:
            trouble = f"its database does not answer: {type(error).__name__}"
        if trouble != said:
            sys.stdout.write(f"{module} waits: {trouble}\n")
            sys.stdout.flush()
            said = trouble
        time.sleep(every)


def _revisions(url: str) -> set[str]:
    target = async_url(url)
    postgresql = target.get_backend_name() == "postgresql"
    engine = create_engine(
        target.set(drivername=target.drivername.replace("+aiosqlite", "")),
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_SECONDS} if postgresql else {},
    )
    with engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads())


def _stop(_: int, __: object) -> NoReturn:
    sys.exit(1)


def main() -> None:
    signal.signal(signal.SIGTERM, _stop)  # the first process of a container has no default
    module, what = sys.argv[1:]
    settings = load(import_module(f"{module}.settings").Settings)
    wait({"database": answers, "tables": has_tables}[what], settings.database_url, module)


if __name__ == "__main__":
    main()
