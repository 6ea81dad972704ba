"""Sentinel: the primary is killed, replaced, or cut off under load, and nothing is lost or doubled."""

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from support.checker import Checker
from support.faults_load import Load
from support.plane import ROUNDS, PlaneSystem, Stopwatch, in_seconds
from support.redis_sets import Node, SentinelSet
from support.system import Shape
from support.waiting import until

SHAPE = Shape(gateways=2, orders=2, payments=1, inventories=1, notifications=1)
RECOVERY_SECONDS = 60
"""What is promised from a fault until the system works again."""
SETTLE_SECONDS = 180
WRITES_LOST = 20_000
"""Bytes of the primary's stream of commands: some forty events with all that becomes of them."""


@pytest.fixture
def sentinels(tmp_path: Path) -> SentinelSet:
    (tmp_path / "redis").mkdir()
    return SentinelSet(tmp_path / "redis")


@pytest.fixture
def system(tmp_path: Path, sentinels: SentinelSet) -> Generator[PlaneSystem]:
    with PlaneSystem(tmp_path, SHAPE, sentinels) as system:
        yield system


@pytest.fixture
def load(system: PlaneSystem) -> Generator[Load]:
    with Load(system, threads=2, pause=0.1) as load:
        yield load


Heal = Callable[[], None]


def kill(sentinels: SentinelSet) -> Heal:
    """The primary crashes, and comes back later, thinking that it is the primary still."""
    primary = sentinels.primary()
    primary.kill9()
    return primary.start


def fail_over(sentinels: SentinelSet) -> Heal:
    """An operator's SENTINEL FAILOVER: the old primary lives, and is told only after ten seconds."""
    sentinels.failover()
    return lambda: None


def cut_off(sentinels: SentinelSet) -> Heal:
    """The primary hears and says nothing; then it wakes, with all that was sent to it meanwhile."""
    primary = sentinels.primary()
    primary.freeze()
    return primary.thaw


def crash_ahead_of_its_replicas(sentinels: SentinelSet) -> Heal:
    """The primary dies with writes that no replica has heard of."""
    primary = sentinels.primary()
    replicas = [server for server in sentinels.servers if server is not primary]
    for replica in replicas:
        replica.freeze()
    primary.ask("CLIENT", "KILL", "TYPE", "replica")
    heard = _offset(primary)
    until(lambda: _offset(primary) > heard + WRITES_LOST, within=30)
    primary.kill9()
    for replica in replicas:
        replica.thaw()
    until(lambda: _offset_of_promotion(sentinels, primary) <= heard, within=30)
    return primary.start


def _offset(server: Node) -> int:
    return int(server.replication()["master_repl_offset"])


def _offset_of_promotion(sentinels: SentinelSet, old: Node) -> float:
    """How far the promoted server had heard the old one."""
    with suppress(RedisError):
        if (promoted := sentinels.primary()) is not old:
            return int(promoted.replication()["second_repl_offset"]) - 1
    return float("inf")


FAULTS = [
    kill,
    pytest.param(fail_over, marks=pytest.mark.slow),
    pytest.param(cut_off, marks=pytest.mark.slow),
    pytest.param(crash_ahead_of_its_replicas, marks=pytest.mark.slow),
]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failover_under_load_loses_and_doubles_nothing(
    fault: Callable[[SentinelSet], Heal],
    system: PlaneSystem,
    sentinels: SentinelSet,
    load: Load,
    tell: Callable[[object], None],
) -> None:
    watch = Stopwatch(load)
    away: list[float] = []
    for _ in range(ROUNDS):
        load.go_on(until_accepted=load.accepted + 60)
        before = sentinels.primary()
        life = before.replication()["master_replid"]
        began = time.monotonic()
        heal = fault(sentinels)
        watch.until_well(within=RECOVERY_SECONDS)
        away.append(time.monotonic() - began)
        assert sentinels.primary() is not before
        assert sentinels.primary().replication()["master_replid"] != life
        load.go_on(until_accepted=load.accepted + 30)
        heal()
        sentinels.wait_until_whole()
    load.finish()

    checker = Checker(system)
    checker.settle(within=SETTLE_SECONDS)

    judgement = checker.judge(load.history, stock=load.stock)
    tell(f"works again after {in_seconds(away)}; {load.accepted} accepted, {judgement}")
    assert not judgement.wrong, judgement
    assert not system.deaths(), "a failover is no reason to die"
