"""The Redis that the user runs."""

from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from local_start.errors import LocalStartError


def refuse_silent_redis(url: str) -> None:
    """Returns if the Redis at this URL answers within five seconds.

    Raises:
        LocalStartError: it does not, or refuses us; the line never shows the password.
    """
    client = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0))
    where = urlsplit(url)
    shown = f"{where.hostname or 'localhost'}:{where.port or 6379}"
    try:
        client.ping()
    except RedisError as error:
        raise LocalStartError(f"no Redis answers at {shown} (REDIS_URL or REDIS_HOST): {error}") from None
    finally:
        client.close()
