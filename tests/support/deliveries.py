"""Deliveries as a consumer makes them, and what a database then holds of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import inspect, select
from sqlmodel import SQLModel

from shared.events import Envelope, OrderShipped, Priority
from shared.queue import Delivery, RetryPolicy
from shared.queue.codec import EntryFormat, encode
from shared.store.database import Database

Row = TypeVar("Row", bound=SQLModel)

POLICY = RetryPolicy(base=timedelta(seconds=1), cap=timedelta(seconds=60))


def envelope(id: str = "x", **attributes: Any) -> Envelope:  # noqa: A002 the envelope's word
    given: dict[str, Any] = {
        "id": id,
        "type": "ORDER_SHIPPED",
        "source": "test",
        "time": datetime.now(UTC),
        "correlation_id": "story",
        "data": OrderShipped(order_id="o", carrier="dhl", tracking_number="42").to_json(),
        "priority": Priority.NORMAL,
    }
    return Envelope(**(given | attributes))


def delivery(
    event: Envelope | None = None,
    *,
    entry: str = "1-1",
    deliveries: int = 0,
    limit: int = 3,
    **attributes: Any,
) -> Delivery:
    """The event's delivery from the normal lane; its first one unless `deliveries` says otherwise."""
    event = event or envelope()
    raw = encode(event)
    body, headers = EntryFormat.parse(raw)
    given: dict[str, Any] = {"worker": "worker-1", "policy": POLICY, "fetched_at": datetime.now(UTC)}
    started_at = attributes.pop("started_at", None)
    made = Delivery(
        queue="orders",
        lane=2,
        entry_id=entry,
        deliveries=deliveries,
        raw=raw,
        body=body,
        headers=headers,
        envelope=event,
        limit=limit,
        **(given | attributes),
    )
    if started_at:
        made.started_at = started_at
    return made


def undecodable(raw: bytes = b"\xff\x00garbage", *, entry: str = "1-1") -> Delivery:
    return replace(delivery(entry=entry), raw=raw, body=raw, headers={}, envelope=None, problem="garbage")


async def rows(database: Database, table: type[Row]) -> Sequence[Row]:
    """All rows, in the order of their keys."""
    async with database.reading() as session:
        keys = inspect(table).primary_key
        return (await session.scalars(select(table).order_by(*keys))).all()


async def row(database: Database, table: type[Row]) -> Row:
    """The only row."""
    (found,) = await rows(database, table)
    return found
