"""A dead worker's events are taken over soon, and a living one's never."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shared.store.tables import utc_now
from support.checker import Checker
from support.faults import Fault, How
from support.faults_client import Client, told
from support.faults_worker import starts
from support.postgres import PostgresServer
from support.system import ODD_WORKER, Shape, System
from support.waiting import until

TAKEOVER_SECONDS = 10.0
"""What is promised with default settings."""
SLACK_SECONDS = 3.0
"""For a machine whose two cores are busy with something else."""
WORKERS = Shape(orders=0, inventories=0, odd=3, faults=True)


@pytest.mark.timeout(180)
def test_with_default_settings_a_dead_workers_events_are_done_within_ten_seconds(
    tmp_path: Path, tell: Callable[[object], None]
) -> None:
    """The worker dies with as many events in its hands as it can hold; it is not started again."""
    shape = Shape(orders=0, inventories=0, odd=3, faults=True, lease=None)
    with System(tmp_path, shape) as system, system.client() as client:
        client.publish_many([told("nothing")] * 30)
        checker = Checker(system)
        checker.settle(within=30)

        died = _kill_with_hands_full(system, client)
        checker.settle(within=60)

        took = (_last_end(system) - died).total_seconds()
        tell(f"took {took:.1f} s; {checker.judge(client.history)}")
        assert not checker.judge(client.history).wrong
        assert took < TAKEOVER_SECONDS + SLACK_SECONDS


@pytest.mark.timeout(400)
def test_each_dead_worker_is_followed_by_the_others(
    start_system: Callable[[Shape], System], sized: Callable[[int, int], int], tell: Callable[[object], None]
) -> None:
    """With a lease of 1 s, which is 5 s less than the default: so is what is allowed."""
    system = start_system(WORKERS)
    checker, slowest = Checker(system), timedelta()
    with system.client() as client:
        for _ in range(sized(12, 50)):
            died = _kill_with_hands_full(system, client)
            checker.settle(within=60)
            slowest = max(slowest, _last_end(system) - died)
            system.service(ODD_WORKER).start()
        tell(f"slowest: {slowest}; {checker.judge(client.history)}")
        assert not checker.judge(client.history).wrong
        assert slowest.total_seconds() < TAKEOVER_SECONDS - 5 + SLACK_SECONDS


@pytest.mark.timeout(400)
def test_a_handler_ten_times_longer_than_the_lease_is_started_once(
    tmp_path: Path, own_postgres: PostgresServer, sized: Callable[[int, int], int]
) -> None:
    """Meanwhile a worker with nothing to do looks for events that nobody renews."""
    shape = Shape(orders=0, inventories=0, odd=3, concurrency=50, lease=2.0)
    with System(tmp_path, shape, postgres=own_postgres) as system, system.client() as client:
        system.service(f"{ODD_WORKER}-3").stop()
        ids = client.publish_many([told("sleep 20")] * sized(100, 500))
        until(lambda: len(starts(system.starts_file)) >= 100, within=60)
        system.service(f"{ODD_WORKER}-3").start()
        checker = Checker(system)
        checker.settle(within=240)

        assert not checker.judge(client.history).wrong
        assert starts(system.starts_file) == dict.fromkeys(ids, 1)
        assert checker.rows(ODD_WORKER, "SELECT * FROM attempt") == [], "somebody has taken over"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_worker_that_was_frozen_for_three_leases_does_nothing_twice(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, sized: Callable[[int, int], int]
) -> None:
    server: PostgresServer | None = request.getfixturevalue("own_postgres") if kind == "postgres" else None
    shape = Shape(orders=0, inventories=0, odd=2)
    with System(tmp_path, shape, postgres=server) as system, system.client() as client:
        victim = system.service(ODD_WORKER)
        for _ in range(sized(4, 20)):
            client.publish_many([told("sleep 0.05")] * 20 + [told("cause 1")] * 10)
            until(lambda: len(starts(system.starts_file)) % 60 > 5, within=20)
            victim.freeze()
            time.sleep(3)
            victim.thaw()
            until(lambda: victim.is_ready, within=30)
        checker = Checker(system)
        checker.settle(within=60)

        judgement = checker.judge(client.history)
        assert not judgement.wrong, judgement


def _kill_with_hands_full(system: System, client: Client) -> datetime:
    """Lets a worker die right after it has fetched all that it may hold; it stays away."""
    victim, faults = system.service(ODD_WORKER), system.faults(ODD_WORKER)
    until(lambda: victim.is_ready, within=30)
    faults.arm(Fault("after-fetch", How.HANG))
    deadline = time.monotonic() + 20
    while faults.armed:  # the others may have been faster
        assert time.monotonic() < deadline
        client.publish_many([told("nothing")] * 60)
        time.sleep(0.3)
    died = utc_now()
    victim.crash()
    return died


def _last_end(system: System) -> datetime:
    (row,) = Checker(system).rows(ODD_WORKER, "SELECT MAX(ended_at) AS ended FROM inbox")
    ended = row["ended"]
    return ended if isinstance(ended, datetime) else datetime.fromisoformat(f"{ended}+00:00")
