"""The transactions of the sandbox's ledger."""

import sqlite3
from collections.abc import Iterator

import pytest

from payment_sandbox.ledger import transaction

TABLES = """
CREATE TABLE payments (id INTEGER PRIMARY KEY);
CREATE TABLE refunds (payment INTEGER REFERENCES payments DEFERRABLE INITIALLY DEFERRED);
"""
"""A refund without its payment is refused by the commit, and not before."""


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys=ON")
    connection.executescript(TABLES)
    yield connection
    connection.close()


def test_a_commit_that_fails_leaves_nothing_behind_and_the_next_one_works(
    connection: sqlite3.Connection,
) -> None:
    with pytest.raises(sqlite3.IntegrityError), transaction(connection):
        connection.execute("INSERT INTO refunds VALUES (1)")

    with transaction(connection):
        connection.execute("INSERT INTO payments VALUES (2)")

    assert connection.execute("SELECT id FROM payments").fetchall() == [(2,)]
    assert connection.execute("SELECT payment FROM refunds").fetchall() == []


def test_an_error_that_has_ended_the_transaction_is_the_one_that_is_told(
    connection: sqlite3.Connection,
) -> None:
    connection.execute("INSERT INTO payments VALUES (1)")

    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"), transaction(connection):
        connection.execute("INSERT OR ROLLBACK INTO payments VALUES (1)")

    assert not connection.in_transaction
