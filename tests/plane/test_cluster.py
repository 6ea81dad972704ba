"""Cluster: a node is killed, replaced by its replica, or gives up a queue's slot, under load."""

import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from shared.events import QUEUES
from support.checker import Checker
from support.faults_load import Load
from support.plane import ROUNDS, PlaneSystem, Stopwatch, in_seconds
from support.redis_sets import ClusterSet
from support.system import Shape
from support.waiting import until

SHAPE = Shape(gateways=1, orders=2, payments=1, inventories=1, notifications=1)
RECOVERY_SECONDS = 60
"""What is promised from a fault until the system works again."""
SETTLE_SECONDS = 180
QUEUE = "orders"


@pytest.fixture
def replicas() -> int:
    return 0


@pytest.fixture
def cluster(tmp_path: Path, replicas: int) -> ClusterSet:
    (tmp_path / "redis").mkdir()
    return ClusterSet(tmp_path / "redis", replicas=replicas)


@pytest.fixture
def system(tmp_path: Path, cluster: ClusterSet) -> Generator[PlaneSystem]:
    with PlaneSystem(tmp_path, SHAPE, cluster) as system:
        yield system


@pytest.fixture
def load(system: PlaneSystem) -> Generator[Load]:
    with Load(system, threads=2, pause=0.1) as load:
        yield load


Heal = Callable[[], None]


def kill_and_start(cluster: ClusterSet) -> Heal:
    """Its queues wait until the node is back; there is nobody to replace it."""
    node = cluster.owner(QUEUE)
    node.kill9()
    time.sleep(3)
    node.start()
    return lambda: None


def kill_one_with_a_replica(cluster: ClusterSet) -> Heal:
    node = cluster.owner(QUEUE)
    node.kill9()
    return node.start


def cut_off_one_with_a_replica(cluster: ClusterSet) -> Heal:
    """The node hears and says nothing; then it wakes, with all that was sent to it meanwhile."""
    node = cluster.owner(QUEUE)
    node.freeze()
    return node.thaw


def fail_over(cluster: ClusterSet) -> Heal:
    """An operator's CLUSTER FAILOVER, at the replica."""
    node = cluster.owner(QUEUE)
    (replica,) = [n for n in cluster.nodes if n.replication().get("master_port") == node.port]
    replica.ask("CLUSTER", "FAILOVER")
    until(lambda: cluster.owner(QUEUE) is replica, within=30)
    return lambda: None


def move_the_slot(cluster: ClusterSet) -> Heal:
    cluster.move(QUEUE)
    return lambda: None


CASES = [
    (kill_and_start, 0),
    pytest.param(move_the_slot, 0, marks=pytest.mark.slow),
    pytest.param(kill_one_with_a_replica, 1, marks=pytest.mark.slow),
    pytest.param(cut_off_one_with_a_replica, 1, marks=pytest.mark.slow),
    pytest.param(fail_over, 1, marks=pytest.mark.slow),
]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("fault", "replicas"), CASES)
def test_a_node_that_fails_or_is_replaced_loses_and_doubles_nothing(
    fault: Callable[[ClusterSet], Heal],
    system: PlaneSystem,
    cluster: ClusterSet,
    load: Load,
    tell: Callable[[object], None],
) -> None:
    assert len({node.port for node in cluster.owners().values()}) > 1, "all queues are on one node"
    watch = Stopwatch(load)
    away: list[float] = []
    for _ in range(ROUNDS):
        load.go_on(until_accepted=load.accepted + 60)
        began = time.monotonic()
        heal = fault(cluster)
        watch.until_well(within=RECOVERY_SECONDS)
        away.append(time.monotonic() - began)
        load.go_on(until_accepted=load.accepted + 30)
        heal()
        until(cluster.is_whole, within=30)
    load.finish()

    checker = Checker(system)
    checker.settle(within=SETTLE_SECONDS)

    judgement = checker.judge(load.history, stock=load.stock)
    tell(f"works again after {in_seconds(away)}; {load.accepted} accepted, {judgement}")
    assert not judgement.wrong, judgement
    assert not system.deaths(), "a lost node is no reason to die"
    worked = {row["queue"] for row in checker.rows("gateway", "SELECT DISTINCT queue FROM journal")}
    assert worked == {*QUEUES}
