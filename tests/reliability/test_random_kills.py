"""Under load, everything is killed again and again, and Redis wiped: nothing is lost or done twice."""

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from support.checker import Checker
from support.faults_copies import copy_all
from support.faults_load import Load
from support.postgres import PostgresServer
from support.system import MOODS, Shape, System

SHAPE = Shape(gateways=2, orders=2, payments=1, inventories=1, notifications=1, settings=MOODS)
EVENTS, KILLS = (1_000, 10_000), (25, 200)
REDIS_KILLS, WIPES, DATABASE_KILLS = (3, 20), (2, 5), (2, 10)


@pytest.fixture(params=["sqlite", "postgres"])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> System:
    server: PostgresServer | None = None
    if request.param == "postgres":
        server = request.getfixturevalue("own_postgres")
    return System(tmp_path, SHAPE, postgres=server)


@pytest.mark.timeout(1800)
def test_every_accepted_event_ends_and_its_effects_happen_once(
    system: System, sized: Callable[[int, int], int], tell: Callable[[object], None]
) -> None:
    """The load publishes every event one to four times, 5 % out of order, and copies are put into Redis."""
    with system, Load(system) as load:
        wanted = sized(*EVENTS)
        blows = _blows(system, sized)
        for number, blow in enumerate(blows, 1):
            load.go_on(until_accepted=wanted * number // len(blows))
            blow()
        load.finish()

        checker = Checker(system)
        checker.settle(within=240)
        copied = copy_all(system, every=7)
        checker.settle(within=60)

        judgement = checker.judge(load.history, stock=load.stock)
        tell(f"{load.accepted} accepted, {copied} copied, {judgement}, deaths {system.deaths()}")
        assert not judgement.wrong, judgement
        assert load.accepted >= wanted


def _blows(system: System, sized: Callable[[int, int], int]) -> list[Callable[[], None]]:
    """All kills of the run, each process in its turn, mixed."""
    processes = itertools.cycle(system.own())
    blows = [next(processes).kill9 for _ in range(sized(*KILLS))]
    blows += [lambda: _kill_redis(system)] * sized(*REDIS_KILLS)
    blows += [system.redis.flushall] * sized(*WIPES)
    if system.postgres:
        blows += [lambda: _kill_database(system)] * sized(*DATABASE_KILLS)
    random.Random(7).shuffle(blows)
    return blows


def _kill_redis(system: System) -> None:
    system.redis.kill9()
    system.redis.start()


def _kill_database(system: System) -> None:
    assert system.postgres
    system.postgres.crash()
    system.postgres.start()
