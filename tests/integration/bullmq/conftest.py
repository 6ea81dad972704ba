from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from integration.bullmq.house import Shop, connected, fill
from integration.gateway.house import open_house
from shared.store.migrate import migrate
from support import RedisServer


@pytest.fixture
def bullmq_redis(redis_server: RedisServer) -> RedisServer:
    """A server that BullMQ has filled: every place where it keeps jobs has one."""
    with redis_server.client() as client:
        fill(client)
    return redis_server


@pytest.fixture
def gateway_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    migrate(url, "gateway")
    return url


@pytest.fixture
async def shop(bullmq_redis: RedisServer, gateway_url: str) -> AsyncGenerator[Shop]:
    async with open_house(gateway_url) as house, connected(bullmq_redis.url) as client:
        yield Shop(house, client)
