"""What is down heals by itself: not ready meanwhile, nothing lost, no attempt burnt, no restart."""

import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from shared.events import PaymentAuthorized
from shared.store.database import BUSY_TIMEOUT_SECONDS
from support.checker import Checker, Judgement
from support.faults_client import Client, order
from support.postgres import PostgresServer
from support.system import SANDBOX, SINK, Service, Shape, System
from support.waiting import until

RECOVERY_SECONDS = 30.0
"""What is promised from the end of an outage."""
AWAY_SECONDS = 60.0


def publish_some(client: Client, name: str, count: int = 20) -> None:
    client.publish_many([order(f"{name}-{number}", mug=1) for number in range(count)])


def assert_healed(system: System, client: Client) -> Judgement:
    """All done in time, each at the first try, by processes that live since the start."""
    checker = Checker(system)
    checker.settle(within=RECOVERY_SECONDS)
    judgement = checker.judge(client.history)
    assert not judgement.wrong, judgement
    for kind, _ in checker.workers():
        assert checker.rows(kind, "SELECT * FROM attempt WHERE effort IN ('failed', 'lost')") == []
    assert system.deaths() == {}
    return judgement


def test_redis_may_come_after_everybody_else(tmp_path: Path) -> None:
    system = System(tmp_path, Shape(lease=3))
    try:
        system.start(redis=False)
        gateway, worker = system.service("gateway"), system.service("order-worker")
        until(lambda: gateway.is_ready and worker.is_alive, within=30)
        with system.client() as client:
            publish_some(client, "early")
            assert not worker.is_ready

            system.redis.start()

            until(lambda: worker.is_ready, within=RECOVERY_SECONDS)
            assert_healed(system, client)
    finally:
        system.end()


@pytest.mark.parametrize("fault", ["refused", "black-holed"])
def test_redis_may_be_away(
    fault: str, start_system: Callable[[Shape], System], sized: Callable[[int, int], int]
) -> None:
    system = start_system(Shape(lease=3))
    worker = system.service("order-worker")
    with system.client() as client:
        publish_some(client, "before")
        system.redis.kill9() if fault == "refused" else system.redis.freeze()
        publish_some(client, "during")
        stays_unready(worker, seconds=sized(8, 60))
        system.redis.start() if fault == "refused" else system.redis.thaw()

        until(lambda: worker.is_ready, within=RECOVERY_SECONDS)
        assert_healed(system, client)


def test_a_sqlite_file_may_be_locked_for_longer_than_the_busy_timeout(
    start_system: Callable[[Shape], System], sized: Callable[[int, int], int]
) -> None:
    system = start_system(Shape(lease=3))
    worker = system.service("order-worker")
    with system.client() as client:
        with locked(system.directory / "order-worker.db"):
            publish_some(client, "during")
            stays_unready(worker, seconds=sized(BUSY_TIMEOUT_SECONDS + 5, 75))

        until(lambda: worker.is_ready, within=RECOVERY_SECONDS)
        assert_healed(system, client)


def test_a_postgres_server_may_be_away(
    tmp_path: Path, own_postgres: PostgresServer, sized: Callable[[int, int], int]
) -> None:
    with System(tmp_path, Shape(lease=3), postgres=own_postgres) as system, system.client() as client:
        publish_some(client, "before")
        own_postgres.crash()
        for service in system.services.values():
            until(lambda service=service: not service.is_ready, within=10)
        stays_unready(system.service("order-worker"), seconds=sized(5, 60))
        own_postgres.start()

        system.wait_until_ready(within=RECOVERY_SECONDS)
        publish_some(client, "after")
        assert_healed(system, client)


def test_the_workers_go_on_while_the_gateway_is_down(start_system: Callable[[Shape], System]) -> None:
    system = start_system(Shape(lease=3))
    worker = system.service("order-worker")
    checker = Checker(system)
    with system.client() as client:
        publish_some(client, "first", 1)
        checker.settle(within=30)  # only a gateway opens a queue, and by now it has
        worker.crash()  # so that nothing is told the gateway before it is gone
        publish_some(client, "before", 100)
        unsent = "SELECT 1 FROM journal WHERE type = 'ORDER_CREATED' AND sent_epoch IS NULL"
        until(lambda: not checker.rows("gateway", unsent), within=30)
        with system.gone("gateway"):
            worker.start()
            until(
                lambda: len(checker.rows("inventory-worker", "SELECT 1 FROM reservations")) == 101, within=30
            )
            until(lambda: worker.is_ready, within=10)
            assert checker.rows("order-worker", "SELECT 1 FROM inbox WHERE unreported")

        until(lambda: system.service("gateway").is_ready, within=RECOVERY_SECONDS)
        assert_healed(system, client)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["refused", "black-holed"])
def test_the_provider_and_the_mail_server_may_be_away(
    fault: str, start_system: Callable[[Shape], System], tell: Callable[[object], None]
) -> None:
    """For a minute, at the same time."""
    system = start_system(Shape(payments=1, notifications=1, lease=3))
    outside = [system.service(SANDBOX), system.service(SINK)]
    dependent = [system.service("payment-worker"), system.service("notification-worker")]
    checker = Checker(system)
    with system.client() as client:
        publish_paid(client, "before")
        checker.settle(within=60)
        for part in outside:
            part.crash() if fault == "refused" else part.freeze()
        publish_paid(client, "during")
        for worker in dependent:
            until(lambda worker=worker: not worker.is_ready, within=10)
        stays_unready(dependent[0], seconds=AWAY_SECONDS)
        assert not dependent[1].is_ready
        for part in outside:
            part.start() if fault == "refused" else part.thaw()

        for worker in dependent:
            until(lambda worker=worker: worker.is_ready, within=RECOVERY_SECONDS)
        judgement = assert_healed(system, client)
        tell(f"{fault} for {AWAY_SECONDS:.0f} s: {judgement}")


def publish_paid(client: Client, name: str, count: int = 10) -> None:
    """Orders with their payments."""
    placed = [order(f"{name}-{number}", mug=1) for number in range(count)]
    paid = [
        PaymentAuthorized(
            order_id=event.order_id,
            payment_id=f"payment-{event.order_id}",
            amount=event.total,
            currency="EUR",
            method="tok_ok",
        )
        for event in placed
    ]
    client.set_stock("mug", 1_000)
    client.publish_many([*placed, *paid])


def stays_unready(service: Service, *, seconds: float) -> None:
    """For so long; a check may take a moment to see the outage."""
    until(lambda: not service.is_ready, within=10)
    deadline = time.monotonic() + seconds - 3
    while time.monotonic() < deadline:
        assert not service.is_ready, f"{service.name} says that it is ready"
        assert service.is_alive, f"{service.name} says that it is not alive"
        time.sleep(0.3)


@contextmanager
def locked(database: Path) -> Generator[None]:
    """Another process's transaction that writes; it is rolled back."""
    with closing(sqlite3.connect(database, timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
