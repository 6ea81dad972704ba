"""The journal keeps the trace that an event belongs to: it may be the journal that sends it."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from gateway.adapters.tables import JournalRow
from integration.gateway.house import House, order_created
from integration.gateway.reports import caused, outcome

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-1122334455667788-01"


async def kept(house: House, event_id: str) -> str | None:
    async with house.database.reading() as session:
        query = select(col(JournalRow.traceparent)).where(col(JournalRow.id) == event_id)
        return (await session.execute(query)).scalar_one()


async def take(house: House, **batch: Any) -> None:
    answer = await house.hand_over(batch)
    assert answer.status_code == 204, answer.text


async def test_a_caused_event_keeps_its_trace(any_house: House) -> None:
    await take(any_house, events=[caused("c-1", traceparent=TRACE)])

    assert await kept(any_house, "c-1") == TRACE


async def test_so_does_one_whose_outcome_came_first(any_house: House) -> None:
    await take(any_house, outcomes=[outcome("c-1")])

    await take(any_house, events=[caused("c-1", traceparent=TRACE)])

    assert await kept(any_house, "c-1") == TRACE


@pytest.mark.parametrize("report", [caused("c-1"), caused("c-1", traceparent=None)])
async def test_one_without_a_trace_has_none(house: House, report: dict[str, Any]) -> None:
    await take(house, events=[report])

    assert await kept(house, "c-1") is None


async def test_a_gateway_that_reports_no_traces_begins_and_joins_none(house: House) -> None:
    await house.client.post("/v1/events", json=order_created(id="e-1"), headers={"traceparent": TRACE})

    assert await kept(house, "e-1") is None
