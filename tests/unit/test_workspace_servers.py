"""The servers that the tests start are real, and are gone afterwards."""

import psycopg
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from support import PostgresServer, RedisServer, StartRedis
from support.databases import Databases


def test_a_redis_server_with_an_aof_keeps_its_data_through_a_kill(
    start_redis: StartRedis,
) -> None:
    server = start_redis(aof=True)
    with server.client() as client:
        client.set("mug", 10)

    server.kill9()
    server.restart()

    with server.client() as client:
        assert client.get("mug") == b"10"


def test_a_redis_server_without_an_aof_is_empty_after_a_restart(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("mug", 10)

    redis_server.restart()

    with redis_server.client() as client:
        assert client.dbsize() == 0


def test_a_stopped_redis_server_refuses_connections(redis_server: RedisServer) -> None:
    redis_server.stop()

    with pytest.raises(RedisConnectionError), redis_server.client() as client:
        client.ping()


def test_every_database_starts_empty_and_is_gone_afterwards(postgres: Databases) -> None:
    with postgres.fresh() as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE stock (sku TEXT)")

    with postgres.fresh() as other, psycopg.connect(other) as connection:
        assert connection.execute("SELECT to_regclass('stock')").fetchone() == (None,)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_database_can_begin_as_a_copy_of_another(postgres: Databases) -> None:
    with postgres.fresh() as template:
        with psycopg.connect(template) as connection:
            connection.execute("CREATE TABLE stock AS SELECT 'mug' AS sku")

        with postgres.fresh(like=template) as copy, psycopg.connect(copy) as connection:
            assert connection.execute("SELECT sku FROM stock").fetchall() == [("mug",)]


def test_what_postgres_committed_survives_its_crash() -> None:
    with PostgresServer() as server, server.databases.fresh() as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE stock AS SELECT 'mug' AS sku")

        server.crash()
        server.restart()

        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT sku FROM stock").fetchall() == [("mug",)]
