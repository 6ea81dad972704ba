"""The database goes away and comes back: nothing is accepted by halves."""

from collections.abc import Generator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

from integration.gateway.house import open_house, order_created
from integration.gateway.reports import outcome
from shared.store.migrate import migrate
from support.databases import Databases


@contextmanager
def _cut_off(admin_url: str, database_url: str) -> Generator[None]:
    """Nobody is connected to the database, and nobody can."""
    name = Identifier(urlsplit(database_url).path.removeprefix("/"))
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [urlsplit(database_url).path.removeprefix("/")],
        )
        yield
        admin.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


async def test_while_the_database_is_away_everything_is_503_and_afterwards_all_works(
    postgres: Databases, postgres_url: str
) -> None:
    migrate(postgres_url, "gateway")
    async with open_house(postgres_url) as house:
        await house.published(order_created("1"))

        with _cut_off(postgres.admin_url, postgres_url):
            away = [
                await house.publish(order_created("2"), **{"Idempotency-Key": "k"}),
                await house.client.get("/v1/events"),
                await house.hand_over({"outcomes": [outcome("c-1")]}),
                await house.client.get("/readyz"),
                await house.client.get("/health"),
            ]
        back = await house.publish(order_created("2"), **{"Idempotency-Key": "k"})

        assert [answer.status_code for answer in away] == [503] * 5
        assert all(int(answer.headers["retry-after"]) > 0 for answer in away[:3])
        assert (back.status_code, back.json()["duplicate"]) == (202, False)
        assert len(await house.items("/v1/events")) == 2


async def test_while_the_database_takes_no_writes_a_client_is_told_to_come_again(
    postgres: Databases, postgres_url: str
) -> None:
    migrate(postgres_url, "gateway")
    async with open_house(postgres_url) as house:
        _turn_read_only(postgres.admin_url, postgres_url)

        refused = await house.publish(order_created("1"))

    assert refused.status_code == 503, refused.text
    assert int(refused.headers["retry-after"]) > 0


def _turn_read_only(admin_url: str, database_url: str) -> None:
    """As a primary that fails over: it ends the connections, and those that are new may only read."""
    name = urlsplit(database_url).path.removeprefix("/")
    read_only = SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(Identifier(name))
    with closing(psycopg.connect(admin_url, autocommit=True)) as admin:
        admin.execute(read_only)
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
