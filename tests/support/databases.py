"""Fresh databases on a PostgreSQL server."""

from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier


class Databases:
    """Makes and drops databases as the user of `admin_url`, who needs the right to create them.

    A query of that URL is not for psycopg: whoever gets a database's URL gets it too.
    """

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self._dialled = admin_url.partition("?")[0]

    @contextmanager
    def fresh(self, *, like: str | None = None) -> Generator[str]:
        """The URL of a database that is empty, or a copy of the database that the URL `like` names.

        It is dropped at the end, whoever is still connected. Nobody may be connected to `like`.
        """
        name = f"test_{uuid4().hex}"
        template = "template0" if like is None else urlsplit(like).path.removeprefix("/")
        self._execute(SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"), name, template)
        try:
            yield urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{name}"))
        finally:
            self._execute(SQL("DROP DATABASE {} WITH (FORCE)"), name)

    def is_answering(self) -> bool:
        try:
            psycopg.connect(self._dialled, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: SQL, *names: str) -> None:
        with psycopg.connect(self._dialled, autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement.format(*map(Identifier, names)))
