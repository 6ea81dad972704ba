"""The Redis that the user runs."""

import asyncio

from redis.exceptions import RedisError

from local_start.errors import LocalStartError
from shared.queue.address import RedisAddress
from shared.queue.connection import connect

WITHIN_SECONDS = 10.0
"""Sentinels that are away are asked one after the other."""


def refuse_silent_redis(url: str) -> None:
    """Returns if the Redis at this URL answers: by way of its sentinels, or as some node of its cluster.

    Raises:
        LocalStartError: it does not, or refuses us; the line never shows the password.
    """
    try:
        asyncio.run(_ping(url))
    except (RedisError, OSError) as error:
        shown = RedisAddress.parse(url)
        raise LocalStartError(f"no Redis answers at {shown} (REDIS_URL or REDIS_HOST): {error}") from None


async def _ping(url: str) -> None:
    client = connect(url)
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            await client.ping()
    finally:
        await client.aclose()
