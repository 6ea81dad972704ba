"""Connections to Redis as this package needs them: to one server, by way of sentinels, or in a cluster.

All keys of a queue have one hash tag, so whatever this package asks of one queue goes to one server. Its
client is therefore redis-py's ordinary one everywhere, with the same pipelines and the same errors; what
differs is only whom its connections ask for that server's address. `RedisCluster` would split pipelines,
repeat commands, and raise errors that are no `RedisError`.
"""

import asyncio
import random
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol, cast

from redis.asyncio import ConnectionPool, Redis, Sentinel
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, ReadOnlyError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.queue.address import Kind, RedisAddress
from shared.queue.keys import QueueKeys
from shared.queue.tasks import end_all

SOCKET_TIMEOUT = 5.0
"""Seconds. A blocking read must be shorter."""
LOOK_SECONDS = 2.0
"""How often a client asks whether the server that it is connected to has been replaced."""
ASKING_SECONDS = 1.0
"""How long a sentinel, or a node that is asked where a queue is, may take to answer."""


def connect(url: str) -> Redis:
    """A client that connects on first use and never repeats a command by itself.

    redis-py repeats a command whose answer was lost, ten times by default; here each layer has a
    loop of its own that knows whether repeating is right.

    On a cluster it is for pings, and `client_of` has the one for a queue. Where the server is another one
    by now (promoted, demoted, moved), a command raises a `RedisError` and the next one finds the new.

    Raises `AddressError`.
    """
    address = RedisAddress.parse(url)
    match address.kind:
        case Kind.SINGLE:
            host, port = address.hosts[0]
            kind = _LoyalConnection if address.tls is None else _LoyalSSLConnection
            return Redis.from_pool(
                ConnectionPool(kind, host=host, port=port, **_options(address, tls=address.tls))
            )
        case Kind.SENTINEL:
            asking = _impatient(address.tls, **address.sentinel_login)
            return _found(address, Sentinel(address.hosts, sentinel_kwargs=asking), address.primary)
        case Kind.CLUSTER:
            return _ClusterClient(address)


def client_of(client: Redis, queue: str) -> Redis:
    """The client of the server that has this queue's keys: the same one, but on a cluster.

    Closing the given client closes it.
    """
    return client.of(queue) if isinstance(client, _ClusterClient) else client


class _Finder(Protocol):
    """Knows where a server is: redis-py's `Sentinel`, or the nodes of a cluster."""

    async def discover_master(self, service_name: str) -> tuple[str, int]: ...
    async def aclose(self) -> None: ...


class _ClusterNodes:
    """The nodes of a cluster, asked for the owner of a slot whenever a connection is made.

    A node is picked at random each time, so that one that hangs, or has an old map, is not asked for ever.
    """

    def __init__(self, address: RedisAddress) -> None:
        self._seeds = address.hosts
        self._known: frozenset[tuple[str, int]] = frozenset()
        self._options = _impatient(address.tls, username=address.username, password=address.password)

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """The owner of this slot, or with an empty name a node that answers.

        Raises redis-py's `ConnectionError`.
        """
        nodes = sorted(self._known | {*self._seeds})
        wrong = ""
        for node in random.sample(nodes, len(nodes)):
            try:
                owners = await self._ask(*node)
            except (RedisError, OSError) as error:
                wrong = f"{type(error).__name__}: {error}"
                continue
            self._known = frozenset(owner for _, owner in owners)
            if not service_name:
                return node
            for slots, owner in owners:
                if int(service_name) in slots:
                    return owner
            wrong = f"nobody has slot {service_name}"
        raise RedisConnectionError(f"no node of the cluster helps: {wrong}")

    async def _ask(self, host: str, port: int) -> list[tuple[range, tuple[str, int]]]:
        async with Redis(host=host, port=port, **self._options) as node:
            reply: Any = await node.execute_command("CLUSTER SLOTS")  # pyright: ignore[reportUnknownVariableType] redis-py leaves it open
        entries: Iterable[tuple[int, int, list[Any]]] = (entry[:3] for entry in cast("list[Any]", reply))
        return [
            (range(first, last + 1), ((owner[0] or b"").decode() or host, int(owner[1])))
            for first, last, owner in entries
        ]

    async def aclose(self) -> None:
        """No connection is kept."""


class _ClusterClient(Redis):
    """A client of some node that answers, and of the owners of the queues' slots."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._nodes = _ClusterNodes(address)
        self._queues: dict[str, Redis] = {}
        super().__init__(connection_pool=_pool(address, self._nodes, ""))
        self.auto_close_connection_pool = True

    def of(self, queue: str) -> Redis:
        if queue not in self._queues:
            slot = key_slot(QueueKeys(queue).control.encode())
            self._queues[queue] = _found(self._address, self._nodes, str(slot))
        return self._queues[queue]

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        for client in self._queues.values():
            await client.aclose(close_connection_pool)
        await super().aclose(close_connection_pool)


class _FindingPool(SentinelConnectionPool):
    """Asks a finder for the address with each connection that it makes, and now and then beside the work.

    For about ten seconds Sentinel lets a primary that it replaced believe that it still is one. Connections
    stay on that server, while new ones go to its successor.
    """

    def __init__(self, name: str, finder: _Finder, **options: Any) -> None:
        super().__init__(name, finder, **options)
        self._is_one_server = bool(name)  # '' is any node
        self._looked = time.monotonic()
        self._look: asyncio.Task[None] | None = None

    async def get_connection(self, *arguments: Any, **options: Any) -> Any:
        is_due = self._is_one_server and time.monotonic() - self._looked > LOOK_SECONDS
        if is_due and (self._look is None or self._look.done()):
            self._looked = time.monotonic()
            self._look = asyncio.create_task(self._leave_the_replaced())
        return await super().get_connection(*arguments, **options)

    async def _leave_the_replaced(self) -> None:
        """Ends the connections to any other server than the one in charge, once they have been used."""
        with suppress(RedisError, OSError):  # who can't be asked has not said that there is another
            await self.get_master_address()
            connections: list[Any] = [*self._available_connections, *self._in_use_connections]
            for connection in connections:
                if (connection.host, connection.port) != self.master_address:
                    connection.mark_for_reconnect()

    async def disconnect(self, inuse_connections: bool = True) -> None:
        if inuse_connections:  # the client is closed
            if self._look:
                await end_all([self._look])
            await self.sentinel_manager.aclose()
        await super().disconnect(inuse_connections)


class _LetsGo(Connection):
    """Ends itself when its server says that it is not, or no more, the one to ask.

    The next command makes a new connection, and asks anew where to. No command is repeated here: its caller
    knows whether that is right.
    """

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*arguments, **options)  # pyright: ignore[reportUnknownVariableType] redis-py leaves it open
        except (ReadOnlyError, AskError, TryAgainError, ClusterDownError) as error:
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"not the server to ask: {error}") from error


class _LoyalConnection(_LetsGo, Connection): ...


class _LoyalSSLConnection(_LetsGo, SSLConnection): ...


class _FoundConnection(_LetsGo, SentinelManagedConnection): ...


class _FoundSSLConnection(_LetsGo, SentinelManagedSSLConnection): ...


def _found(address: RedisAddress, finder: _Finder, name: str) -> Redis:
    return Redis.from_pool(_pool(address, finder, name))


def _pool(address: RedisAddress, finder: _Finder, name: str) -> _FindingPool:
    kind = _FoundConnection if address.tls is None else _FoundSSLConnection
    return _FindingPool(name, finder, connection_class=kind, **_options(address, tls=address.tls))


def _options(address: RedisAddress, *, tls: Iterable[Any] | None) -> dict[str, Any]:
    return {
        "db": address.database,
        "username": address.username,
        "password": address.password,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "socket_timeout": SOCKET_TIMEOUT,
        "socket_connect_timeout": 2.0,
        "client_name": "shop-queue",
        "driver_info": None,  # a Redis before 7.2 knows no CLIENT SETINFO, nor would its users be allowed it
        **dict(tls or {}),
    }


def _impatient(tls: Any, **login: str | None) -> dict[str, Any]:
    """The arguments of a client that only asks for an address."""
    return {
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "socket_timeout": ASKING_SECONDS,
        "socket_connect_timeout": ASKING_SECONDS,
        "driver_info": None,
        "ssl": tls is not None,
        **(tls or {}),
        **login,
    }
