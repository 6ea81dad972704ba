"""Two versions side by side: what one writes the other reads. A fixture in `v1` is never changed or removed.

`docs/upgrading.md` promises what stands here.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integration.gateway.house import open_house
from shared.events import Envelope, Priority
from shared.queue.codec import EntryFormat, decode, encode, pack
from shared.store.migrate import migrate
from shared.store.reports import HandOverBatch

V1 = Path(__file__).parent / "v1"
TIME = datetime(2026, 11, 24, 10, 0, 0, 123_000, UTC)
DATA = '{"order_id":"1042","lines":[{"sku":"mug","quantity":2}]}'
ENTRIES = {
    "least": Envelope("e-2", "INVENTORY_RESERVED", "unknown", TIME, "e-2", DATA),
    "full": Envelope(
        *("e-2", "INVENTORY_RESERVED", "unknown", TIME, "1042", DATA),
        subject="order/1042",
        causation_id="e-1",
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
        max_attempts=7,
        run=1,
    ),
}
batches = pytest.mark.parametrize("name", ["least", "full"])


def entry(name: str) -> bytes:
    return bytes.fromhex((V1 / f"entry.{name}.hex").read_text())


def batch(name: str) -> dict[str, Any]:
    return json.loads((V1 / f"handover.{name}.json").read_text())


@pytest.mark.parametrize("name", ENTRIES)
def test_this_version_reads_an_entry_of_version_1(name: str) -> None:
    assert decode(entry(name), Priority.NORMAL) == ENTRIES[name]


@pytest.mark.parametrize("name", ENTRIES)
def test_version_1_reads_an_entry_of_this_version(name: str) -> None:
    then_body, then = EntryFormat.parse(entry(name))

    body, now = EntryFormat.parse(encode(ENTRIES[name]))

    assert body == then_body
    assert now.items() >= then.items(), "version 1 would miss, or misread, a header that it knows"


def test_a_header_of_a_later_version_is_passed_over() -> None:
    body, headers = EntryFormat.parse(entry("full"))

    later = pack({**headers, "never_a_header": "1"}, body)

    assert decode(later, Priority.NORMAL) == ENTRIES["full"]


@batches
def test_a_report_of_version_1_says_today_what_it_said_then(name: str) -> None:
    today = HandOverBatch.model_validate_json(json.dumps(batch(name))).model_dump(mode="json")

    for kind, rows in batch(name).items():
        for then, now in zip(rows, today[kind], strict=True):
            assert now.items() >= then.items()


@batches
async def test_this_gateway_takes_over_from_a_worker_of_version_1(name: str, sqlite_url: str) -> None:
    migrate(sqlite_url, "gateway")
    async with open_house(sqlite_url) as house:
        answer = await house.hand_over(batch(name))

        assert answer.status_code == 204, answer.text
        assert (await house.event("e-2"))["type"] == "INVENTORY_RESERVED"
        ended = await house.event("e-1")
        assert ended["status"] == ("dead" if name == "full" else "completed")


async def test_a_gateway_refuses_a_field_of_a_later_version_and_keeps_nothing_of_it(sqlite_url: str) -> None:
    later = batch("least")
    later["outcomes"][0]["never_a_field"] = 1
    migrate(sqlite_url, "gateway")
    async with open_house(sqlite_url) as house:
        answer = await house.hand_over(later)

        # The worker keeps it and tells it again: tests/integration/store/test_refused_reports.py.
        assert answer.status_code == 422
        assert await house.items("/v1/events") == []
