"""A poison event stops nothing: it dies by itself, and none of its neighbours with it."""

from collections.abc import Callable

import pytest

from shared.queue.keys import QueueKeys
from support.checker import Checker
from support.faults import Fault, How
from support.faults_client import told
from support.faults_worker import starts
from support.system import ODD_WORKER, Shape, System
from support.waiting import until

TRIES = 5
MEGABYTE = 1 << 20


@pytest.mark.timeout(400)
def test_poison_dies_and_its_neighbours_do_not(
    start_system: Callable[[Shape], System], sized: Callable[[int, int], int], tell: Callable[[object], None]
) -> None:
    system = start_system(Shape(orders=0, inventories=0, odd=2))
    healthy, each = sized(500, 5_000), sized(1, 5)
    with system.client() as client:
        poison: dict[str, list[str]] = {word: [] for word in ("die", "spin", "raise")}
        for _ in range(each):  # fetched together, so that whoever dies has neighbours
            row = [word for word in poison for word in ("nothing", word, "nothing")]
            for word, event_id in zip(row, client.publish_many([told(word) for word in row]), strict=True):
                if word in poison:
                    poison[word].append(event_id)
        for _ in range(10):
            client.publish_many([told("nothing")] * (healthy // 10))
            _put_garbage(system, b"\xff\x00 no event", b"x" * MEGABYTE)
        checker = Checker(system)
        checker.settle(within=200)

        dead = [event_id for ids in poison.values() for event_id in ids]
        judgement = checker.judge(client.history, dead=dead, strangers=20)
        started = dict.fromkeys(dead, 0) | starts(system.starts_file)
        seen = {word: [started[event_id] for event_id in ids] for word, ids in poison.items()}
        tell(f"{judgement}, started {seen}")
        assert not judgement.wrong, judgement
        for word, ids in poison.items():
            # each try that is counted is its own, and the one in which it became a suspect is not
            assert all(TRIES <= started[event_id] <= TRIES + 1 for event_id in ids), word
            assert all(len(client.event(event_id)["attempts"]) == TRIES for event_id in ids), word


@pytest.mark.timeout(120)
def test_many_large_dead_letters_are_reported(start_system: Callable[[Shape], System]) -> None:
    """Together they are more than one request of the hand-over may hold."""
    system = start_system(Shape(orders=0, inventories=0, odd=1))
    _put_garbage(system, *[b"x" * 5 * MEGABYTE] * 20)
    with system.client() as client:
        checker = Checker(system)
        checker.settle(within=60)

        assert not checker.judge(client.history, strangers=20).wrong


@pytest.mark.timeout(120)
def test_a_suspect_that_fails_after_a_wipe_holds_nobody_up(start_system: Callable[[Shape], System]) -> None:
    system = start_system(Shape(orders=0, inventories=0, odd=1, faults=True))
    with system.client() as client:
        system.faults(ODD_WORKER).arm(Fault("after-fetch", How.KILL))
        suspect = client.publish(told("stumble 2"), max_attempts=2)
        until(lambda: starts(system.starts_file).get(suspect), within=30)

        system.redis.flushall()
        client.publish(told("nothing"))

        checker = Checker(system)
        checker.settle(within=60)
        judgement = checker.judge(client.history, dead=[suspect])
        assert not judgement.wrong, judgement


def _put_garbage(system: System, *bodies: bytes) -> None:
    with system.redis.client() as redis:
        for body in bodies:
            redis.xadd(QueueKeys("notifications").lanes[1], {"__data__": body})
