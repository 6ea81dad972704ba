"""A crash at any point is safe: each point of the code x each way of dying there x each service."""

import time
from collections.abc import Callable, Mapping, Sequence

import pytest

from shared.events import PaymentAuthorized
from shared.queue.keys import QueueKeys
from support.checker import Checker
from support.faults import GATEWAY_POINTS, OUTSIDE_POINTS, WORKER_POINTS, Fault, How
from support.faults_client import Client, order
from support.system import Shape, System
from support.waiting import until

WORKERS = ("order-worker", "inventory-worker")
OUTSIDE_WORKERS = ("payment-worker", "notification-worker")
OUTSIDE = Shape(
    payments=1, notifications=1, faults=True, settings={"PAYMENT_PROVIDER_SECONDS": "1", "SMTP_SECONDS": "1"}
)
"""The shorter a call may take, the sooner a claim on it runs out."""
STOCK = 100_000

# What has to happen first, so that an event comes to the point at all.
_FAILS = Fault("before-commit", How.EXCEPTION)
_IS_TAKEN_OVER = Fault("before-commit", How.KILL)
_BEFORE = {
    "before-failure": _FAILS,
    "after-failure": _FAILS,
    "before-retry-move": _FAILS,
    "after-retry-move": _FAILS,
    "before-suspect": _IS_TAKEN_OVER,
    "after-suspect": _IS_TAKEN_OVER,
}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", list(How))
def test_a_worker_may_end_at_any_point(
    how: How, start_system: Callable[[Shape], System], tell: Callable[[object], None]
) -> None:
    system = start_system(Shape(faults=True))
    with system.client() as client:
        passage = Passage(system, client)
        for point in WORKER_POINTS:
            before = [_BEFORE[point]] if point in _BEFORE else []
            passage.go_through(dict.fromkeys(WORKERS, (*before, Fault(point, how))), name=point)
        # What is no event is named by its place. After an error of ours behind the commit of its death it
        # is tried again, at another place, and is another one.
        tell(passage.end_well(renamed=len(WORKERS) if how in {How.EXCEPTION, How.CANCEL} else 0))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", [How.KILL, How.EXCEPTION, How.CANCEL])
def test_the_gateway_may_end_at_any_point(
    how: How, start_system: Callable[[Shape], System], tell: Callable[[object], None]
) -> None:
    system = start_system(Shape(faults=True))
    with system.client() as client:
        client.patience_with = {500}  # the answer to a bug, which an exception at a point is
        passage = Passage(system, client)
        for point in GATEWAY_POINTS:
            passage.go_through({"gateway": [Fault(point, how)]}, name=point)
        tell(passage.end_well())


@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", list(How))
def test_a_worker_whose_effect_is_outside_may_end_at_any_point(
    how: How, start_system: Callable[[Shape], System], tell: Callable[[object], None]
) -> None:
    """Money moves once; a mail is sent once, or, cut off in its sending, once or twice and says so."""
    system = start_system(OUTSIDE)
    with system.client() as client:
        passage = Passage(system, client)
        for point in OUTSIDE_POINTS:
            passage.go_through(dict.fromkeys(OUTSIDE_WORKERS, (Fault(point, how),)), name=point)
        tell(passage.end_well())


class Passage:
    """One system, through one fault after the other."""

    def __init__(self, system: System, client: Client) -> None:
        self._system, self._client = system, client
        self._checker = Checker(system)
        self._garbage = 0
        client.set_stock("mug", STOCK, threshold=STOCK - 10)

    def go_through(self, faults: Mapping[str, Sequence[Fault]], *, name: str) -> None:
        """Arms the faults, and publishes orders until all of them have happened.

        First what the fault before left is worked off: too many faults of one event would be its death.
        """
        until(self._is_idle, within=60)
        for service, its_faults in faults.items():
            self._system.faults(service).arm(*its_faults)
        deadline, number = time.monotonic() + 30, 0
        while armed := [f"{s}: {f}" for s in faults for f in self._system.faults(s).armed]:
            if time.monotonic() > deadline:
                raise AssertionError(f"not reached: {armed}; {self.end_well()}")
            number += 1
            self._client.publish(order(f"{name}-{number}", mug=1))
            self._client.publish(order(f"{name}-{number}-short", nobody_has_it=1))
            if self._system.shape.payments:
                self._pay(f"{name}-{number}")
            if "dead-letter" in name:
                self._put_garbage()
            time.sleep(0.3)

    def end_well(self, *, renamed: int = 0) -> str:
        """Judges all that went through; `renamed` entries that are no events have died twice."""
        self._checker.settle(within=60)
        strangers = self._garbage + renamed
        judgement = self._checker.judge(self._client.history, strangers=strangers, stock={"mug": STOCK})
        assert not judgement.wrong, judgement
        return f"{judgement}, deaths {self._system.deaths()}"

    def _pay(self, order_id: str) -> None:
        payment = PaymentAuthorized(
            order_id=order_id, payment_id=f"p-{order_id}", amount=500, currency="EUR", method="tok_ok"
        )
        self._client.publish(payment)

    def _is_idle(self) -> bool:
        """Nobody has anything in hand. What is tried again later does not matter, if it may fail often.

        A mail that was cut off twice is given up: it has to be through before the next point cuts one off.
        """
        left = self._checker.undrained()
        return not any("pending" in line or self._system.shape.notifications for line in left)

    def _put_garbage(self) -> None:
        """An entry that is no event, in each queue: it can only die."""
        with self._system.redis.client() as redis:
            for queue in self._system.queues:
                redis.xadd(QueueKeys(queue).lanes[1], {"__data__": b"\xff\x00 no event"})
                self._garbage += 1
