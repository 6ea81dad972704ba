"""Several real servers that stand for one: a primary with replicas and sentinels, or a cluster."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError
from redis.retry import Retry

from shared.events import QUEUES
from shared.queue.keys import QueueKeys
from support.ports import free_port
from support.redis_server import RedisServer, redis_binary
from support.redis_tls import tls_binary, tls_options
from support.waiting import until

PRIMARY = "mymaster"
SLOTS = 16_384
HIGHEST_CLUSTER_PORT = 32_000 - 10_000
"""A node of a cluster listens 10,000 higher as well, and that port may be nobody's outgoing one."""


class Node(RedisServer):
    """A server that writes into its own configuration file whose replica it is, as sentinels want it."""

    def __init__(
        self,
        directory: Path,
        options: Mapping[str, str],
        *,
        port: int | None = None,
        mode: Sequence[str] = (),
        admin: str | None = None,
        tls: Path | None = None,
    ) -> None:
        """`admin` is that user's password, where the server has users; `tls` has certificates."""
        directory.mkdir()
        super().__init__(directory)
        self.port = port or self.port
        self.url = f"redis://127.0.0.1:{self.port}/0"
        listening = {"port": "0", "tls-port": str(self.port)} if tls else {"port": str(self.port)}
        told = {**listening, "bind": "127.0.0.1", "dir": str(directory), **options}
        self.file = directory / "server.conf"
        self.file.write_text("".join(f"{name} {value}\n" for name, value in told.items()))
        self._command = [str(tls_binary() if tls else redis_binary()), str(self.file), *mode]
        self._access: dict[str, Any] = {} if admin is None else {"username": "admin", "password": admin}
        if tls:
            self._access |= {"ssl": True, "ssl_ca_certs": str(tls / "ca.crt")}

    def client(self) -> Redis:
        retry = Retry(NoBackoff(), 0)
        return Redis(host="127.0.0.1", port=self.port, retry=retry, socket_timeout=5, **self._access)

    def ask(self, *command: str | int) -> Any:
        with self.client() as client:
            return cast("Any", client.execute_command(*command))

    def replication(self) -> dict[str, Any]:
        with self.client() as client:
            return client.info("replication")

    @property
    def pid(self) -> int:
        return self._started().pid


SERVER = {"appendonly": "yes", "appendfsync": "everysec", "save": '""', "repl-diskless-sync-delay": "0"}


class SentinelSet:
    """One primary, two replicas, three sentinels. A server that comes back is made a replica."""

    def __init__(
        self,
        directory: Path,
        *,
        down_after: float = 1.0,
        passwords: Callable[[str], str] | None = None,
        tls: Path | None = None,
    ) -> None:
        """`down_after`, in seconds: how long a silent primary is borne.

        With `passwords`, of each user, it is as `deploy/redis` has it: a `users.acl` lies in the directory.
        With `tls`, a directory of certificates, nobody speaks without TLS to anybody.
        """
        secured = tls_options(tls) if tls else {}
        server, admin = {**SERVER, **secured}, None
        if passwords:
            follower = {"masteruser": "replica", "masterauth": passwords("replica")}
            server, admin = {**server, **follower, "aclfile": f"{directory}/users.acl"}, passwords("admin")
        self.servers = [Node(directory / "server-1", server, admin=admin, tls=tls)]
        follow = {**server, "replicaof": f"127.0.0.1 {self.servers[0].port}"}
        self.servers += [Node(directory / f"server-{n}", follow, admin=admin, tls=tls) for n in (2, 3)]
        watch = {
            **secured,
            f"sentinel monitor {PRIMARY}": f"127.0.0.1 {self.servers[0].port} 2",
            f"sentinel down-after-milliseconds {PRIMARY}": str(int(down_after * 1000)),
            f"sentinel failover-timeout {PRIMARY}": "10000",
        }
        if passwords:
            watch |= {
                f"sentinel auth-user {PRIMARY}": "sentinel",
                f"sentinel auth-pass {PRIMARY}": passwords("sentinel"),
            }
        self.sentinels = [
            Node(directory / f"sentinel-{n}", watch, mode=["--sentinel"], tls=tls) for n in (1, 2, 3)
        ]
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        scheme, query = ("rediss", f"?ssl_ca_certs={tls / 'ca.crt'}") if tls else ("redis", "")
        self.url = f"{scheme}+sentinel://{hosts}/{PRIMARY}/0{query}"
        self._running = ExitStack()

    def start(self) -> None:
        """Returns once each knows the others."""
        for node in (*self.servers, *self.sentinels):
            self._running.enter_context(node)
        until(self._is_whole, within=30)

    def primary(self) -> Node:
        """Whom the sentinels call so."""
        for sentinel in self.sentinels:
            with suppress(RedisError):
                _, port = sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", PRIMARY)
                return next(server for server in self.servers if server.port == int(port))
        raise AssertionError("no sentinel answers")

    def failover(self) -> None:
        """As an operator does it, with the primary alive; returns once another one is."""
        before = self.primary()
        self.sentinels[0].ask("SENTINEL", "FAILOVER", PRIMARY)
        until(lambda: self.primary() is not before, within=30)

    def client(self) -> Redis:
        return self.primary().client()

    def wait_until_whole(self, within: float = 60) -> None:
        """Until all servers run, and all but the primary follow it."""
        until(self._is_whole, within=within)

    def _is_whole(self) -> bool:
        with suppress(RedisError):
            known = [s.ask("SENTINEL MASTER", PRIMARY) for s in self.sentinels]
            told = all(m["num-slaves"] == 2 and m["num-other-sentinels"] == 2 for m in known)
            links = [server.replication() for server in self.servers if server is not self.primary()]
            return told and all(link.get("master_link_status") == "up" for link in links)
        return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def __enter__(self) -> Self:
        self.start()
        return self


class ClusterSet:
    """A cluster of three primaries, each with so many replicas; a queue stops only with its own node."""

    def __init__(self, directory: Path, *, replicas: int = 0, node_timeout: float = 1.0) -> None:
        """`node_timeout`, in seconds: how long a silent node is borne."""
        options = {
            **SERVER,
            "cluster-enabled": "yes",
            "cluster-node-timeout": str(int(node_timeout * 1000)),
            "cluster-require-full-coverage": "no",
        }
        self.nodes = [
            Node(directory / f"node-{n}", options, port=_cluster_port()) for n in range(1, 4 + 3 * replicas)
        ]
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:2])
        self.url = f"redis+cluster://{hosts}"
        self._running = ExitStack()

    def start(self) -> None:
        """Joins the nodes into a cluster; returns once all agree on it."""
        for node in self.nodes:
            self._running.enter_context(node)
        primaries = self.nodes[:3]
        for number, node in enumerate(primaries):
            node.ask("CLUSTER", "ADDSLOTSRANGE", number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            node.ask("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        until(lambda: all(self._info(n)["cluster_known_nodes"] == str(len(self.nodes)) for n in self.nodes))
        for number, node in enumerate(self.nodes[3:]):
            name = primaries[number % 3].ask("CLUSTER", "MYID").decode()
            until(lambda node=node, name=name: name in node.ask("CLUSTER", "NODES").decode())
            node.ask("CLUSTER", "REPLICATE", name)
        until(self.is_whole, within=30)

    def owner(self, queue: str) -> Node:
        """The node that has this queue's keys, as the others see it."""
        slot = key_slot(QueueKeys(queue).control.encode())
        for node in self.nodes:
            with suppress(RedisError):
                for first, last, (_, port, *_), *_ in node.ask("CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return next(n for n in self.nodes if n.port == port)
        raise AssertionError(f"nobody has {queue}")

    def owners(self) -> dict[str, Node]:
        return {queue: self.owner(queue) for queue in QUEUES}

    def move(self, queue: str) -> None:
        """Gives the queue to another primary, key by key, as a resharding does it."""
        slot = key_slot(QueueKeys(queue).control.encode())
        source = self.owner(queue)
        target = next(n for n in self.nodes if n is not source and n.replication()["role"] == "master")
        names = {node: node.ask("CLUSTER", "MYID").decode() for node in (source, target)}
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 10):
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in self.nodes:
            if node.replication()["role"] == "master":
                node.ask("CLUSTER", "SETSLOT", slot, "NODE", names[target])

    def is_whole(self) -> bool:
        """Whether all nodes run, agree that all is well, and every replica follows its primary."""
        with suppress(RedisError):
            for node in self.nodes:
                info, link = self._info(node), node.replication()
                if info["cluster_state"] != "ok" or info["cluster_slots_assigned"] != str(SLOTS):
                    return False
                if link["role"] == "slave" and link["master_link_status"] != "up":
                    return False
            return sum(node.replication()["role"] == "master" for node in self.nodes) == 3
        return False

    def client(self) -> Any:
        """For looking at the data; speaks to whoever has a key."""
        node = next(node for node in self.nodes if node.is_running)
        retry = Retry(NoBackoff(), 1)
        return RedisCluster(host="127.0.0.1", port=node.port, retry=retry, require_full_coverage=False)

    @staticmethod
    def _info(node: Node) -> dict[str, str]:
        return cast("dict[str, str]", node.ask("CLUSTER INFO"))  # redis-py has read it

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def __enter__(self) -> Self:
        self.start()
        return self


def _cluster_port() -> int:
    while (port := free_port()) > HIGHEST_CLUSTER_PORT:
        continue
    return port
