"""`queue drain-bullmq` as a process, beside a gateway as a process."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration.bullmq.house import everything
from integration.gateway.house import ADMIN_KEY, HEADERS, SERVICE_KEY
from support import Process, RedisServer, free_port, until

MANY = 400
OK = 200
NO_ANSWER, STAYS = 3, 1


@pytest.fixture
def gateway(gateway_url: str, tmp_path: Path) -> Iterator[str]:
    """The address of a gateway that has no Redis: what it takes stays in its journal."""
    port = free_port()
    settings = {
        "DATABASE_URL": gateway_url,
        "QUEUE_ADMIN_KEY": ADMIN_KEY,
        "QUEUE_SERVICE_KEY": SERVICE_KEY,
        "GATEWAY_PORT": str(port),
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
    }
    log = tmp_path / "gateway.log"
    with Process([sys.executable, "-m", "gateway"], log=log, environment=settings):
        url = f"http://127.0.0.1:{port}"
        until(lambda: _answers(f"{url}/livez"), within=60)
        yield url


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).status_code == OK
    except httpx.TransportError:
        return False


class Command:
    """Calls `queue drain-bullmq` for this Redis and this gateway."""

    def __init__(self, server: RedisServer, gateway: str, log: Path) -> None:
        self._log = log
        self._settings = {
            "BULLMQ_REDIS_URL": server.url,
            "GATEWAY_URL": gateway,
            "QUEUE_API_KEY": ADMIN_KEY,
            "COLUMNS": "200",
        }

    def start(self, *arguments: str) -> Process:
        self._log.write_bytes(b"")
        command = [sys.executable, "-m", "local_start", "drain-bullmq", *arguments]
        return Process(command, log=self._log, environment=self._settings)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Its exit code, and what it said."""
        with self.start(*arguments) as process:
            return process.wait(within=60), self._log.read_text()

    def report(self, *arguments: str) -> list[dict[str, Any]]:
        _, said = self.run("--json", *arguments)
        return json.loads(said)


@pytest.fixture
def command(bullmq_redis: RedisServer, gateway: str, tmp_path: Path) -> Command:
    return Command(bullmq_redis, gateway, tmp_path / "command.log")


def add_many(server: RedisServer) -> None:
    """As many jobs as BullMQ's own, beside them."""
    with server.client() as redis, redis.pipeline() as pipeline:
        first = redis.hgetall("bull:orders:1")
        for number in range(1000, 1000 + MANY):
            data = {"order_id": f"o-{number}", "carrier": "DHL", "tracking_number": "t"}
            pipeline.hset(f"bull:orders:{number}", mapping={**first, "data": json.dumps(data)})
            pipeline.lpush("bull:orders:wait", number)
        pipeline.execute()


def subjects(gateway: str) -> list[str]:
    found: list[str] = []
    url: str | None = f"{gateway}/v1/events?limit=200"
    with httpx.Client(headers=HEADERS, base_url=gateway) as client:
        while url is not None:
            answer = client.get(url).raise_for_status()
            found += [item["subject"] for item in answer.json()["items"]]
            url = answer.links.get("next", {}).get("url")
    return found


def test_by_itself_it_only_tells(bullmq_redis: RedisServer, gateway: str, command: Command) -> None:
    with bullmq_redis.client() as redis:
        before = everything(redis)

        code, said = command.run()

        assert everything(redis) == before
    assert code == STAYS
    assert "Nothing was changed." in said
    assert "order.closed stay: there is no event type of this name (such as job 9)" in said
    assert subjects(gateway) == []


def test_killed_in_the_middle_and_called_again_it_loses_and_doubles_nothing(
    bullmq_redis: RedisServer, gateway: str, command: Command
) -> None:
    add_many(bullmq_redis)
    with bullmq_redis.client() as redis:
        all_of_them, killed_with = redis.llen("bull:orders:wait"), list[int]()
        for left in (MANY - 20, MANY - 150, MANY - 300):
            with command.start("--remove", "orders") as process:
                until(lambda: redis.llen("bull:orders:wait") < left or not process.is_running, within=60)  # noqa: B023 it is called at once
                process.kill9()
            killed_with.append(redis.llen("bull:orders:wait"))

        [report] = command.report("--remove", "orders")

        assert any(3 < left < all_of_them for left in killed_with), "each time too late to prove anything"
        assert redis.llen("bull:orders:wait") == 3  # two that do not map, and one of a schedule
    there = subjects(gateway)
    assert len(there) == len(set(there)) == MANY + 8
    assert report["removed"] == report["published"] + report["known"]


def test_a_queue_that_is_worked_off_is_not_touched(bullmq_redis: RedisServer, command: Command) -> None:
    with bullmq_redis.client() as redis:
        redis.client_setname("bull:b3JkZXJz")
        before = everything(redis)

        code, said = command.run("--remove")

        assert everything(redis) == before
    assert code == 1
    assert "orders is not paused and has 1 workers" in said


def test_a_redis_that_is_away_is_told(bullmq_redis: RedisServer, tmp_path: Path) -> None:
    bullmq_redis.stop()

    code, said = Command(bullmq_redis, "http://127.0.0.1:1", tmp_path / "log").run()

    assert code == NO_ANSWER
    assert "the same call again goes on from here" in said
