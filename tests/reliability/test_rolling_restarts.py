"""A restart by SIGTERM, under load, is noticed by nobody."""

from collections.abc import Callable

import pytest

from support.checker import Checker
from support.faults_client import told
from support.faults_load import Load
from support.faults_worker import starts
from support.system import Shape, System

AWAY = {"ConnectError", "ConnectTimeout", "ReadError", "RemoteProtocolError"}
"""What a client may meet at a gateway that is being restarted, besides a 503.

Nobody listens there, or its connection was idle and is closed just as a request goes out on it: every
HTTP server does that unless something in front of it drains first. The client sends it again.
"""


@pytest.mark.timeout(600)
def test_no_request_fails_and_no_handler_is_run_twice(
    start_system: Callable[[Shape], System], sized: Callable[[int, int], int], tell: Callable[[object], None]
) -> None:
    system = start_system(Shape(gateways=2, odd=1, concurrency=5, lease=6.0))
    with Load(system, threads=2, pause=0.05) as load:
        load.go_on(until_accepted=10)
        for _ in range(sized(5, 20)):
            for service in system.services.values():
                load.client.publish_many([told("sleep 0.1")] * 3)
                code = service.restart()
                assert code in (0, -15), (
                    f"{service.name} ended with {code}: {system.log(service.name)[-2000:]}"
                )
                system.wait_until_ready()
        load.finish()

        checker = Checker(system)
        checker.settle(within=60)
        judgement = checker.judge(load.history, stock=load.stock)
        tell(f"{judgement}, deaths {system.deaths()}, {dict(load.history.answers)}")
        assert not judgement.wrong, judgement
        assert not load.history.wrong
        errors = {name for name in load.history.answers if not name.isdecimal()}
        assert errors <= AWAY, load.history.answers
        started = starts(system.starts_file)
        assert [event_id for event_id, count in started.items() if count > 1] == []
