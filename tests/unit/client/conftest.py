from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from shared.client import EventPublisher, RetryPolicy
from unit.client.fake_gateway import FakeGateway

POLICY = RetryPolicy(
    first=timedelta(seconds=1),
    longest=timedelta(seconds=4),
    deadline=timedelta(seconds=30),
    random=lambda: 1.0,
)


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that the publisher waited, which pass at once."""
    return []


@pytest.fixture
async def publisher(gateway: FakeGateway, pauses: list[float]) -> AsyncIterator[EventPublisher]:
    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    transport = httpx.MockTransport(gateway)
    async with EventPublisher(
        "http://gateway.test/shop", "key-1", retry=POLICY, transport=transport, sleep=sleep
    ) as publisher:
        yield publisher
