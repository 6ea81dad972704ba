"""The gateway's side of the hand-over, by the rules of the delivery model."""

import base64
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from gateway.adapters.tables import DeadLetter, JournalRow
from integration.gateway.house import HEADERS, SERVICE_KEY, House, order, order_created
from integration.gateway.reports import attempt, caused, outcome


async def _row(house: House, event_id: str) -> JournalRow:
    async with house.database.reading() as session:
        return (await session.scalars(select(JournalRow).where(col(JournalRow.id) == event_id))).one()


async def _take(house: House, **batch: Any) -> None:
    answer = await house.hand_over(batch)
    assert answer.status_code == 204, answer.text


async def test_a_caused_event_comes_into_the_journal_with_its_cause(any_house: House) -> None:
    await any_house.publish(order_created(id="e-1"))

    await _take(any_house, events=[caused("c-1")])

    effect, cause = await any_house.event("c-1"), await any_house.event("e-1")
    assert (effect["status"], effect["correlation_id"]) == ("waiting", "1042")
    assert effect["data"] == {"order_id": "1042", "lines": [{"sku": "MUG", "quantity": 2}]}
    assert effect["caused_by"] == {
        "id": "e-1",
        "type": "ORDER_CREATED",
        "queue": "orders",
        "status": "waiting",
    }
    assert [link["id"] for link in cause["caused"]] == ["c-1"]


async def test_what_its_worker_has_sent_keeps_its_epoch(any_house: House) -> None:
    await _take(any_house, events=[caused("c-1"), caused("c-2", sent_epoch=None)])

    sent, unsent = await _row(any_house, "c-1"), await _row(any_house, "c-2")
    assert (sent.open, sent.sent_epoch) == (True, "epoch-1")
    assert (unsent.open, unsent.sent_epoch) == (True, None)


async def test_an_outcome_ends_its_event(any_house: House) -> None:
    await _take(any_house, events=[caused("c-1")])

    await _take(any_house, outcomes=[outcome("c-1")])

    event = await any_house.event("c-1")
    assert (event["status"], event["attempts"][0]["worker"]) == ("completed", "inventory-1")
    assert (event["attempts"][0]["started"], event["attempts"][0]["ended"]) == (
        "2026-11-24T10:00:01Z",
        "2026-11-24T10:00:02Z",
    )
    assert not (await _row(any_house, "c-1")).open
    assert (await any_house.items("/v1/events", status="completed"))[0]["attempts"] == 1


async def test_an_outcome_for_an_unknown_event_begins_its_row_ended(any_house: House) -> None:
    await _take(any_house, outcomes=[outcome("c-1", "dead", reason="out_of_stock")])

    event = await any_house.event("c-1")
    assert (event["status"], event["reason"], event["data"]) == ("dead", "out_of_stock", None)
    assert not (await _row(any_house, "c-1")).open


async def test_the_event_fills_in_the_row_that_its_outcome_began(any_house: House) -> None:
    await _take(any_house, outcomes=[outcome("c-1")])

    await _take(any_house, events=[caused("c-1")])

    event = await any_house.event("c-1")
    assert (event["status"], event["subject"], event["causation_id"]) == ("completed", "order/1042", "e-1")
    assert event["data"]["order_id"] == "1042"
    assert not (await _row(any_house, "c-1")).open


async def test_an_outcome_and_its_event_in_one_batch_are_one_ended_event(any_house: House) -> None:
    await _take(any_house, events=[caused("c-1")], outcomes=[outcome("c-1")])

    event = await any_house.event("c-1")
    assert (event["status"], event["data"]["order_id"]) == ("completed", "1042")


async def test_an_outcome_ends_only_its_own_run(any_house: House) -> None:
    """Run 0 died and was redriven: its outcome, reported once more, must not end run 1."""
    await _take(any_house, events=[caused("c-1", run=1)])

    await _take(any_house, outcomes=[outcome("c-1", "dead", run=0)])

    row = await _row(any_house, "c-1")
    assert (row.status, row.open, row.run) == ("waiting", True, 1)


async def test_an_ended_run_keeps_its_first_outcome(any_house: House) -> None:
    await _take(any_house, events=[caused("c-1")], outcomes=[outcome("c-1")])

    await _take(any_house, outcomes=[outcome("c-1", "dead", reason="late")])

    event = await any_house.event("c-1")
    assert (event["status"], event["reason"]) == ("completed", None)


async def test_a_batch_once_more_changes_nothing(any_house: House) -> None:
    batch: dict[str, Any] = {
        "events": [caused("c-1"), caused("c-2"), caused("c-3")],
        "attempts": [attempt("c-1"), attempt("c-2")],
        "outcomes": [outcome("c-2", "dead", raw=base64.b64encode(b"raw").decode()), outcome("c-9")],
    }
    await _take(any_house, **batch)
    before = [await any_house.event(item["id"]) for item in await any_house.items("/v1/events")]

    await _take(any_house, **batch)

    after = [await any_house.event(item["id"]) for item in await any_house.items("/v1/events")]
    assert after == before


async def test_an_event_that_a_client_published_is_not_overwritten(any_house: House) -> None:
    await any_house.publish(order_created(id="e-1"))

    await _take(any_house, events=[caused("e-1")])

    assert (await any_house.event("e-1"))["type"] == "ORDER_CREATED"


async def test_a_failed_try_makes_its_event_retrying(any_house: House) -> None:
    await any_house.publish(order_created(id="e-1"))

    await _take(any_house, attempts=[attempt("e-1", 1), attempt("e-1", 2, reason="provider_slow")])

    event = await any_house.event("e-1")
    listed = (await any_house.items("/v1/events", status="retrying"))[0]
    assert (event["status"], event["reason"]) == ("retrying", "provider_slow")
    assert [tried["effort"] for tried in event["attempts"]] == ["failed", "failed"]
    assert (event["attempts"][0]["error"], event["retry_at"]) == ("no answer", "2026-11-24T10:05:00Z")
    assert listed["attempts"] == 2


async def test_a_postponed_event_is_retrying_with_its_attempts_unchanged(any_house: House) -> None:
    await any_house.publish(order_created(id="e-1"))

    await _take(any_house, attempts=[attempt("e-1", effort="postponed", reason="out_of_order")])

    listed = (await any_house.items("/v1/events", status="retrying"))[0]
    assert (listed["attempts"], listed["reason"]) == (0, "out_of_order")


async def test_a_try_that_comes_before_its_event_counts_once_the_event_is_there(any_house: House) -> None:
    await _take(any_house, attempts=[attempt("c-1")])

    await _take(any_house, events=[caused("c-1")])

    event = await any_house.event("c-1")
    assert (event["status"], len(event["attempts"])) == ("retrying", 1)


async def test_a_try_of_an_ended_run_does_not_reopen_it(any_house: House) -> None:
    await _take(any_house, events=[caused("c-1")], outcomes=[outcome("c-1")])

    await _take(any_house, attempts=[attempt("c-1")])

    event = await any_house.event("c-1")
    assert (event["status"], event["reason"], len(event["attempts"])) == ("completed", None, 2)


async def test_the_last_failure_and_the_death_that_it_brings_are_one_try(any_house: House) -> None:
    last = attempt("c-1", 2)
    death = outcome("c-1", "dead", started_at=last["started_at"], reason="provider_down")

    await _take(any_house, events=[caused("c-1")], attempts=[attempt("c-1", 1), last], outcomes=[death])

    event = await any_house.event("c-1")
    assert len(event["attempts"]) == 2
    assert (await any_house.items("/v1/events", status="dead"))[0]["attempts"] == 2


@pytest.mark.parametrize("how", ["cancelled", "expired"])
async def test_what_never_ran_has_no_attempt(any_house: House, how: str) -> None:
    await _take(any_house, events=[caused("c-1")], outcomes=[outcome("c-1", how)])

    assert (await any_house.event("c-1"))["attempts"] == []


async def test_a_dead_letter_keeps_the_bytes_that_nobody_could_read(any_house: House) -> None:
    raw = b"\xff\x00not json"
    death = outcome(
        "inventory:1-0",
        "dead",
        type="",
        reason="undecodable",
        correlation_id=None,
        raw=base64.b64encode(raw).decode(),
    )

    await _take(any_house, outcomes=[death])

    async with any_house.database.reading() as session:
        letter = (await session.scalars(select(DeadLetter))).one()
    assert (letter.event_id, letter.raw, letter.reason) == ("inventory:1-0", raw, "undecodable")
    assert (await any_house.items("/v1/events", status="dead"))[0]["id"] == "inventory:1-0"


async def test_a_batch_with_a_mistake_is_refused_as_a_whole(house: House) -> None:
    answer = await house.hand_over({"events": [caused("c-1"), caused("c-2", surprise=1)]})

    assert answer.status_code == 422
    assert await house.items("/v1/events") == []


async def test_only_the_services_may_hand_over(house: House) -> None:
    answers = [
        await house.client.post("/internal/v1/handover", json={}, headers=headers)
        for headers in (
            HEADERS,
            {"Authorization": "Bearer nobody"},
            {"Authorization": f"Bearer {SERVICE_KEY}"},
        )
    ]

    assert [answer.status_code for answer in answers] == [403, 401, 204]


async def test_a_client_cannot_take_the_id_of_a_caused_event(house: House) -> None:
    await _take(house, events=[caused("c-1")])

    answer = await house.publish({"type": "ORDER_CREATED", "data": order(), "id": "c-1"})

    assert answer.status_code == 409


UNCERTAIN = outcome("c-1", uncertain=True)


@pytest.mark.parametrize(
    "batches",
    [
        [{"events": [caused("c-1")]}, {"outcomes": [UNCERTAIN]}],
        [{"events": [caused("c-1")], "outcomes": [UNCERTAIN]}],
        [{"outcomes": [UNCERTAIN]}],
        [{"outcomes": [UNCERTAIN]}, {"events": [caused("c-1")]}],
        [{"outcomes": [UNCERTAIN]}, {"outcomes": [outcome("c-1")]}],
        [{"outcomes": [outcome("c-1")]}, {"outcomes": [UNCERTAIN]}],
    ],
    ids=["known", "with its event", "unknown", "filled later", "then not", "not at first"],
)
async def test_an_uncertain_outcome_is_shown_and_stays_so(
    any_house: House, batches: list[dict[str, Any]]
) -> None:
    for batch in batches:
        await _take(any_house, **batch)

    (listed,) = await any_house.items("/v1/events", status="completed")
    assert (listed["uncertain"], (await any_house.event("c-1"))["uncertain"]) == (True, True)


async def test_an_outcome_of_a_worker_that_is_older_is_certain(any_house: House) -> None:
    """It knows no such field."""
    await _take(any_house, outcomes=[outcome("c-1")])

    assert (await any_house.event("c-1"))["uncertain"] is False


async def test_what_was_uncertain_in_one_run_is_certain_in_another(any_house: House) -> None:
    await _take(any_house, events=[caused("c-1", run=1)])

    await _take(any_house, outcomes=[outcome("c-1", run=0, uncertain=True)])

    assert (await any_house.event("c-1"))["uncertain"] is False
