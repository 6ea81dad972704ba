"""Connections to Redis as this package needs them."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

SOCKET_TIMEOUT = 5.0
"""Seconds. A blocking read must be shorter."""


def connect(url: str) -> Redis:
    """A client that connects on first use and never repeats a command by itself.

    redis-py repeats a command whose answer was lost, ten times by default; here each layer has a
    loop of its own that knows whether repeating is right.
    """
    return Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        socket_timeout=SOCKET_TIMEOUT,
        socket_connect_timeout=2.0,
        client_name="shop-queue",
    )
