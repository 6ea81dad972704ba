from datetime import timedelta

import pytest
from redis.asyncio import Redis
from sqlalchemy import select
from sqlmodel import col

from gateway.adapters.tables import JournalRow
from integration.gateway.house import House, open_house, order_created
from integration.gateway.reports import outcome
from support.waiting import eventually


async def _sent_epoch(house: House, event_id: str) -> str | None:
    async with house.database.reading() as session:
        return await session.scalar(select(col(JournalRow.sent_epoch)).where(col(JournalRow.id) == event_id))


async def _sent(house: House, event_id: str, *, not_in: str | None = None) -> str:
    """The epoch in which the event was sent, once it was sent in another than `not_in`."""

    async def epoch() -> str | None:
        found = await _sent_epoch(house, event_id)
        return None if found == not_in else found

    sent = await eventually(epoch, within=15)
    assert sent is not None
    return sent


async def test_an_accepted_event_is_in_its_queue_at_once(
    any_gateway_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.store.relay.FRESH", timedelta(hours=1))  # no sweep sends it
    async with open_house(any_gateway_url, REDIS_URL=redis_url) as house:
        await house.published(order_created(id="e-1"))

        async def waiting() -> bool:
            depth = await house.gateway.inspector.depth("orders")
            return [lane.waiting for lane in depth.lanes] == [0, 1, 0]

        assert await eventually(waiting)


async def test_after_a_wipe_what_is_open_is_sent_again_and_what_has_ended_is_not(
    gateway_url: str, redis_url: str
) -> None:
    async with open_house(gateway_url, REDIS_URL=redis_url) as house, Redis.from_url(redis_url) as redis:
        for name in ("open", "ended"):
            await house.published(order_created(id=name))
        epochs = {name: await _sent(house, name) for name in ("open", "ended")}
        await house.hand_over({"outcomes": [outcome("ended")]})

        await redis.flushall()
        await _sent(house, "open", not_in=epochs["open"])

        assert await _sent_epoch(house, "ended") == epochs["ended"]
        assert (await house.gateway.inspector.depth("orders")).lanes[1].waiting == 1


async def test_a_delayed_event_is_sent_when_it_is_due(gateway_url: str, redis_url: str) -> None:
    async with open_house(gateway_url, REDIS_URL=redis_url) as house:
        await house.published(order_created(id="later", delay_ms=60_000))
        await house.published(order_created(id="soon", delay_ms=300))

        await _sent(house, "soon")

        assert await _sent_epoch(house, "later") is None
