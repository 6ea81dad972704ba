"""A queue server for each test, and a station at it."""

from collections.abc import AsyncIterator

import pytest

from support.queueing import Station, station_at
from support.redis_server import RedisServer


@pytest.fixture
async def station(redis_server: RedisServer) -> AsyncIterator[Station]:
    async with station_at(redis_server.url) as station:
        yield station
