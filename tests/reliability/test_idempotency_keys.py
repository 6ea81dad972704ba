"""Publishing twice with one key is publishing once, whatever becomes of the gateway meanwhile."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.checker import Checker
from support.faults_client import Client, order
from support.postgres import PostgresServer
from support.system import Shape, System


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_one_key_is_one_event(
    kind: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    sized: Callable[[int, int], int],
    tell: Callable[[object], None],
) -> None:
    server: PostgresServer | None = request.getfixturevalue("own_postgres") if kind == "postgres" else None
    keys, posts = sized(40, 200), sized(20, 50)
    with System(tmp_path, Shape(gateways=2), postgres=server) as system, system.client() as client:
        answers: dict[int, set[str]] = defaultdict(set)

        def post(number: int) -> None:
            answers[number % keys].add(_publish_with_key(client, number % keys))

        with ThreadPoolExecutor(16) as pool, _Killing(system):
            list(pool.map(post, range(keys * posts)))

        accepted = {number: ids for number, ids in answers.items() if len(ids) == 1}
        assert len(accepted) == keys, {number: ids for number, ids in answers.items() if len(ids) != 1}
        client.history.offered |= set.union(*answers.values())
        checker = Checker(system)
        checker.settle(within=60)
        judgement = checker.judge(client.history)
        tell(f"{judgement}, deaths {system.deaths()}, {dict(client.history.answers)}")
        assert not judgement.wrong, judgement
        (row,) = checker.rows("gateway", "SELECT COUNT(*) AS n FROM journal WHERE type = 'ORDER_CREATED'")
        assert row["n"] == keys


def _publish_with_key(client: Client, number: int) -> str:
    """Tries until it is accepted, with the key; answers the id that the gateway gave."""
    event = order(f"order-{number}", mug=1)
    body = {"type": event.type, "data": event.to_data()}
    deadline = time.monotonic() + 60
    while True:
        answer = client.post("/v1/events", body, headers={"Idempotency-Key": f"key-{number}"})
        if answer is not None and answer.is_success:
            event_id: str = answer.json()["id"]
            client.history.accepted[event_id] = event
            return event_id
        assert answer is None or answer.status_code in (409, 503), answer.text
        assert time.monotonic() < deadline
        time.sleep(0.05)


class _Killing:
    """Kills the gateways in turn, again and again."""

    def __init__(self, system: System) -> None:
        self._gateways = system.of_kind("gateway")
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._kill, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _kill(self) -> None:
        number = 0
        while not self._done.wait(1.0):
            gateway = self._gateways[number % len(self._gateways)]
            if gateway.is_ready:  # on a slow machine nothing would ever get through else
                gateway.kill9()
                number += 1
