"""Each service has a user of its own: it may do all that the service does, and nothing else."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from shared.events import Envelope
from shared.queue import RedisSender
from shared.queue.connection import connect
from shared.queue.keys import GROUP, QueueKeys
from support.checker import Checker
from support.faults_load import Load
from support.plane import PlaneSystem
from support.queueing import order
from support.redis_sets import Node, SentinelSet
from support.redis_tls import GuardedServer, make_certificates, make_users
from support.system import QUEUES, Shape
from support.waiting import until

SHAPE = Shape(gateways=1, orders=1, payments=1, inventories=1, notifications=1)
SERVICES = ("gateway", *QUEUES)
SCALER = "scaler"

DANGEROUS = [
    "FLUSHALL",
    "FLUSHDB",
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "DBSIZE",
    "CONFIG GET requirepass",
    "CONFIG SET maxmemory 1",
    "CONFIG REWRITE",
    "DEBUG SLEEP 0",
    "SHUTDOWN NOSAVE",
    "ACL LIST",
    "ACL SETUSER gateway on nopass ~* +@all",
    "ACL LOG",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
    "CLIENT PAUSE 1",
    "CLIENT NO-EVICT on",
    "MONITOR",
    "SAVE",
    "BGSAVE",
    "BGREWRITEAOF",
    "REPLICAOF 127.0.0.1 1",
    "SYNC",
    "PSYNC ? -1",
    "FAILOVER",
    "CLUSTER RESET",
    "MODULE LIST",
    "FUNCTION LIST",
    "FUNCTION FLUSH",
    "SCRIPT FLUSH",
    "SCRIPT KILL",
    "EVAL return(1) 0",
    "SELECT 1",
    "SWAPDB 0 1",
    "SLOWLOG GET",
    "LATENCY RESET",
    "MEMORY DOCTOR",
    "COMMAND COUNT",
    "WAIT 0 1",
    "PUBLISH channel word",
    "SUBSCRIBE channel",
    "PSUBSCRIBE *",
    "SET stranger 1",
    "GET stranger",
    "MIGRATE 127.0.0.1 1 key 0 1",
]
"""For every service, whatever the key."""

ON_ANY_KEY_OF_A_QUEUE = [
    "DEL {key}",
    "UNLINK {key}",
    "RENAME {key} {key}-2",
    "COPY {key} {key}-2",
    "EXPIRE {key} 1",
    "PERSIST {key}",
    "DUMP {key}",
    "RESTORE {key} 0 x",
    "TYPE {key}",
    "OBJECT ENCODING {key}",
    "SORT {key}",
    "XTRIM {key} MAXLEN 0",
    "XSETID {key} 9-9",
    "XGROUP DESTROY {key} workers",
    "XGROUP SETID {key} workers $",
    "XAUTOCLAIM {key} workers me 0 0",
]

READING_A_LANE = [
    "XREAD STREAMS {lane} 0",
    "XREADGROUP GROUP workers me STREAMS {lane} >",
    "XACK {lane} workers 1-1",
    "XDEL {lane} 1-1",
    "XCLAIM {lane} workers me 0 1-1",
    "XGROUP CREATE {lane} others 0",
    "XGROUP DELCONSUMER {lane} workers me",
]
LOOKING_AT_A_LANE = ["XRANGE {lane} - +", "XREVRANGE {lane} - +", "XLEN {lane}", "XPENDING {lane} workers"]
BEHIND_A_LANE = [
    "ZADD {retries} 1 job",
    "ZRANGE {retries} 0 -1",
    "ZREM {retries} job",
    "HSET {bodies} job body",
    "HGETALL {bodies}",
    "HGET {bodies} job",
]
OPENING = ["HSET {control} epoch token", "HDEL {control} epoch", "HSETNX {control} epoch token"]


@pytest.fixture(params=["plain", "tls"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[GuardedServer]:
    directory = tmp_path / "guarded"
    directory.mkdir()
    with GuardedServer(directory, tls=request.param == "tls") as server:
        yield server


@pytest.mark.timeout(300)
def test_the_system_runs_with_them_and_is_refused_nothing(
    tmp_path: Path, server: GuardedServer, tell: Callable[[object], None]
) -> None:
    with PlaneSystem(tmp_path, SHAPE, server, redis_urls=server.url_of) as system, Load(system) as load:
        load.go_on(until_accepted=60)
        server.restart()  # the AOF is read back under the same users
        system.service("order-worker").kill9()
        load.go_on(until_accepted=100)
        load.finish()
        checker = Checker(system)
        checker.settle(within=120)
        system.service("inventory-worker").stop()  # hands back and forgets its consumer

        judgement = checker.judge(load.history, stock=load.stock)
        tell(f"{load.accepted} accepted, {judgement}")
        assert not judgement.wrong, judgement
        assert server.refusals() == []


@pytest.mark.parametrize("service", [*SERVICES, SCALER])
def test_it_is_refused_all_else(server: GuardedServer, service: str) -> None:
    own = QUEUES.get(service)
    with server.client(service) as client:
        assert client.ping()
        allowed = [command for command in _forbidden(own) if not _is_refused(client, *command.split())]

        assert allowed == []
        assert client.ping()


def test_who_scales_may_count_what_waits_and_what_is_in_hand_and_nothing_more(server: GuardedServer) -> None:
    keys = [QueueKeys(queue) for queue in QUEUES.values()]
    asyncio.run(_send(server.url_of("gateway"), [order("1")]))
    with server.client("admin") as admin:
        admin.xgroup_create(keys[0].lanes[1], GROUP, id="0")
    with server.client(SCALER) as client:
        assert client.xinfo_groups(keys[0].lanes[1])[0]["lag"] == 1
        assert client.xpending(keys[0].lanes[1], GROUP)["pending"] == 0
        assert client.xlen(keys[0].lanes[1]) == 1
        tries = [f"XADD {lane} * a b" for key in keys for lane in key.lanes]
        tries += [opening.format(control=key.control) for key in keys for opening in OPENING]
        tries += [f"HMGET {key.control} epoch" for key in keys]
        tries += [f"XRANGE {lane} - +" for key in keys for lane in key.lanes]

        assert [command for command in tries if not _is_refused(client, *command.split())] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_script_of_its_own_making_gets_it_no_further(server: GuardedServer, service: str) -> None:
    own = QUEUES.get(service)
    other = QueueKeys("payments" if own != "payments" else "orders")
    tries = [f"XREADGROUP GROUP workers me STREAMS {other.lanes[0]} >", f"DEL {other.lanes[0]}", "FLUSHALL"]
    with server.client(service) as client:
        for command in tries:
            call = ", ".join(f"'{word}'" for word in command.split())
            hashed = str(client.script_load(f"return redis.call({call})"))

            assert _is_refused(client, "EVALSHA", hashed, 1, other.lanes[0]), command


@pytest.mark.parametrize("server", ["plain"], indirect=True)
def test_nobody_comes_in_without_a_name(server: GuardedServer) -> None:
    with (
        Redis(host="127.0.0.1", port=server.port) as nobody,
        pytest.raises(RedisError, match=r"(?i)authentication|authenticated"),
    ):
        nobody.ping()


@pytest.mark.parametrize("server", ["tls"], indirect=True)
def test_a_server_that_another_authority_vouches_for_is_not_spoken_to(
    server: GuardedServer, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    other = GuardedServer(stranger, tls=True)
    url = server.url_of("gateway").replace(str(tmp_path / "guarded" / "tls"), str(stranger / "tls"))

    async def ping() -> None:
        client = connect(url)
        try:
            await client.ping()
        finally:
            await client.aclose()

    with pytest.raises(RedisError, match="certificate verify failed"):
        asyncio.run(ping())
    with socket.create_connection(("127.0.0.1", server.port)) as plain, pytest.raises(ssl.SSLError):
        other.context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_what_was_sent_survives_a_crash_under_these_users(server: GuardedServer) -> None:
    """Redis drops what a script wrote when it reads its AOF, if the default user has no rights."""
    asyncio.run(_send(server.url_of("gateway"), [order("1"), order("2")]))
    time.sleep(1.5)  # everysec
    server.kill9()
    server.start()

    with server.client("order-worker") as client:
        assert client.xlen(QueueKeys("orders").lanes[1]) == 2


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_sentinels_and_replicas_have_users_of_their_own_too(tmp_path: Path, tls: bool) -> None:
    directory, certificates = tmp_path / "sentinels", tmp_path / "tls"
    directory.mkdir()
    make_certificates(certificates)
    (directory / "users.acl").write_text(make_users(tmp_path / "passwords"))

    def password(user: str) -> str:
        return (tmp_path / "passwords" / f"{user}.password").read_text()

    with SentinelSet(directory, passwords=password, tls=certificates if tls else None) as sentinels:
        url = sentinels.url.replace("://", f"://gateway:{password('gateway')}@")
        asyncio.run(_send(url, [order("1")]))
        old = sentinels.primary()

        sentinels.failover()

        until(lambda: _follows(old), within=60)  # told by a sentinel, as its user
        sentinels.wait_until_whole()
        asyncio.run(_send(url, [order("2")]))
        for server in sentinels.servers:
            refused = [entry for entry in server.ask("ACL LOG") if entry["username"] != "default"]
            assert refused == []


def _follows(server: Node) -> bool:
    with suppress(RedisError):  # a sentinel ends all connections to a server that it turns
        return server.replication()["role"] == "slave"
    return False


async def _send(url: str, envelopes: list[Envelope]) -> None:
    client = connect(url)
    assert await RedisSender(client, opens=True).send("orders", envelopes)
    await client.aclose()


def _forbidden(own: str | None) -> list[str]:
    commands = list(DANGEROUS)
    for queue in QUEUES.values():
        keys = QueueKeys(queue)
        for key in (keys.control, keys.retries, keys.retry_bodies, *keys.lanes):
            commands += [command.format(key=key) for command in ON_ANY_KEY_OF_A_QUEUE]
        if queue == own:
            commands += [command.format(control=keys.control) for command in OPENING]
            continue
        for lane in keys.lanes:
            commands += [command.format(lane=lane) for command in READING_A_LANE]
            if own:
                commands += [command.format(lane=lane) for command in LOOKING_AT_A_LANE]
        commands += [c.format(retries=keys.retries, bodies=keys.retry_bodies) for c in BEHIND_A_LANE]
        if own:
            commands += [command.format(control=keys.control) for command in OPENING]
    return commands


def _is_refused(client: Redis, *words: str | int) -> bool:
    try:
        client.execute_command(*words)
    except NoPermissionError:
        return True
    except ResponseError as error:
        return any(word in str(error) for word in REFUSED_IN_OTHER_WORDS)
    return False


REFUSED_IN_OTHER_WORDS = (
    "ACL failure in script",  # Valkey
    "The user executing the script can't",  # Redis
    "DEBUG command not allowed",  # of nobody, by the server's own default
)
