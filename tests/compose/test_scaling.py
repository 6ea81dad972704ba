"""More containers of one service, and new ones in the place of old ones, while orders come in."""

import asyncio
import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Self

import httpx
import pytest

from shared.client import EventPublisher, RetryPolicy
from shared.events import SendEmail, new_id
from support.compose import WORKERS, Project, docker
from support.compose_load import judge, orders_coming_in, settle
from support.faults_client import Client, order

pytestmark = pytest.mark.timeout(1800)
BURST = 300


@pytest.fixture
def two_gateways(project: Project) -> Iterator[list[str]]:
    project.add_gateway()
    yield project.gateways
    project.up("--no-deps", "--scale", "gateway=1", "gateway")


class Callers:
    """Callers of two gateways, as a load balancer is one: where no answer comes, the other is asked.

    A request fails if an answer is no 202, or if no gateway gives one.
    """

    def __init__(self, urls: list[str], key: str) -> None:
        self.taken: list[str] = []
        self.failed: list[str] = []
        self._urls = urls
        self._key = key
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(n,), daemon=True) for n in range(4)]

    def _call(self, number: int) -> None:
        with httpx.Client(
            headers={"Authorization": f"Bearer {self._key}"}, timeout=30, trust_env=False
        ) as http:
            for turn in itertools.count(number):
                if self._stopped.wait(0.1):
                    return
                self._publish(http, [self._urls[turn % 2], self._urls[(turn + 1) % 2]])

    def _publish(self, http: httpx.Client, urls: list[str]) -> None:
        event_id, silences = new_id(), list[str]()
        data = {"to": "ada@example.com", "subject": "hello", "text": "Hello."}
        for url in urls:
            try:
                answer = http.post(
                    f"{url}/v1/events", json={"id": event_id, "type": "SEND_EMAIL", "data": data}
                )
            except httpx.TransportError as error:
                silences.append(f"{url}: {error!r}")
                continue
            (self.taken if answer.status_code == 202 else self.failed).append(
                f"{event_id} {answer.status_code}"
            )
            return
        self.failed.append(" and ".join(silences))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def test_a_rolling_restart_of_all_fails_no_request_where_two_gateways_are(
    project: Project, two_gateways: list[str]
) -> None:
    with Callers(two_gateways, project.secret("api-key")) as callers:
        for service in ("gateway", *WORKERS):
            project.roll(service)

    assert callers.failed == []
    assert len(callers.taken) > 100


def test_a_rolling_restart_of_the_workers_fails_no_request_and_loses_nothing(
    project: Project, client: Client
) -> None:
    with orders_coming_in(client, "rolled") as load:
        for service in WORKERS:
            project.roll(service)

    assert set(client.history.answers) <= {"200", "202"}
    judge(project, client, load)


async def test_a_restart_of_the_only_gateway_is_not_seen_by_who_publishes_with_the_client(
    project: Project,
) -> None:
    patient = RetryPolicy(deadline=timedelta(minutes=5))
    async with EventPublisher(project.gateways[0], project.secret("api-key"), retry=patient) as publisher:
        restart = asyncio.create_task(asyncio.to_thread(project.roll, "gateway"))
        published = 0
        while not restart.done():
            await publisher.publish(SendEmail(to="ada@example.com", subject="hello", text="Hello."))
            published += 1
        await restart

    assert published > 0


@pytest.fixture(scope="module")
def first_order_worker(project: Project) -> str:
    (first,) = project.containers("order-worker")
    return first


@pytest.fixture(scope="module")
def three_order_workers(project: Project, first_order_worker: str) -> Iterator[list[str]]:
    """As a line in `.env` makes them: whatever else is started, they stay three."""
    project.up(ORDER_WORKERS="3")
    yield project.containers("order-worker")
    project.up()


def test_more_workers_leave_alone_the_one_that_runs(
    first_order_worker: str, three_order_workers: list[str]
) -> None:
    assert len(three_order_workers) == 3
    assert first_order_worker in three_order_workers


def test_each_of_three_order_workers_takes_a_share(
    project: Project, client: Client, three_order_workers: list[str]
) -> None:
    client.set_stock("shared-out", BURST)
    orders = [order(f"shared-out-{number}", **{"shared-out": 1}) for number in range(BURST)]
    ids = client.publish_many(orders)
    settle(client)

    who = Counter(client.event(event_id)["attempts"][-1]["worker"].split("-")[0] for event_id in ids)
    assert set(who) == {project.inspect(each)["Config"]["Hostname"] for each in three_order_workers}
    assert sum(who.values()) == BURST


def test_two_take_over_what_a_killed_third_had(
    project: Project, client: Client, three_order_workers: list[str]
) -> None:
    with orders_coming_in(client, "taken-over") as load:
        docker("kill", three_order_workers[0])

    judge(project, client, load)
