"""Copies of events on the wire, as a relay makes them when it is cut off before its mark."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from shared.events.envelope import Envelope, Priority
from shared.queue import RedisSender
from shared.queue.connection import connect
from support.checker import Checker
from support.system import System


def copy_all(system: System, *, every: int = 1) -> int:
    """Sends every n-th event that the journal holds to its queue once more; answers how many."""
    query = "SELECT * FROM journal WHERE filled ORDER BY id"
    rows = Checker(system).rows("gateway", query)[::every]
    copied = [row for row in rows if row["queue"] in system.queues]
    asyncio.run(_send(system.redis.url, copied))
    return len(copied)


async def _send(url: str, rows: Sequence[Any]) -> None:
    client = connect(url)
    sender = RedisSender(client, opens=False)
    for row in rows:
        sent = await sender.send(row["queue"], [_envelope(row)])
        assert sent, f"{row['queue']} is closed"
    await client.aclose()


def _envelope(row: Any) -> Envelope:
    return Envelope(
        id=row["id"],
        type=row["type"],
        source=row["source"],
        time=datetime.now(UTC),
        correlation_id=row["correlation_id"],
        data=row["data"],
        subject=row["subject"],
        causation_id=row["causation_id"],
        priority=Priority(row["priority"]),
        run=row["run"],
    )
