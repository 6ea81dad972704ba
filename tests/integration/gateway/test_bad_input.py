"""Bad input at `POST /v1/events`: a row of the promises each; never a 5xx, never an echo of what came in."""

import json
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from integration.gateway.house import House, open_house, order, order_created

SECRET = "zzTopSecretzz"


def _text(**changes: Any) -> bytes:
    return json.dumps(order_created(**changes)).encode()


def _nested(depth: int) -> bytes:
    return b'{"type":"ORDER_CREATED","data":{"a":' + b"[" * depth + b"]" * depth + b"}}"


def _with_data(text: str) -> bytes:
    return b'{"type":"ORDER_CREATED","data":' + text.encode() + b"}"


def _order_with(name: str) -> bytes:
    """An order whose customer has this name, as it would stand in JSON."""
    whole = json.dumps(order_created()).replace("Ada Lovelace", name)
    return whole.encode("utf-8", "surrogatepass")


NOT_JSON = {
    "empty": b"",
    "blank": b" ",
    "no JSON": b"{",
    "trailing bytes": _text() + b"x",
    "two values": _text() + b"{}",
    "UTF-16": json.dumps(order_created()).encode("utf-16"),
    "a byte that is no UTF-8": _text().replace(b"Ada", b"A\xffa"),
    "a surrogate in UTF-8": _order_with("\ud800"),
    "a byte order mark": b"\xef\xbb\xbf" + _text(),
    "single quotes": b"{'type': 'ORDER_CREATED'}",
    "a raw NUL": _text().replace(b"Ada", b"A\0a"),
}

INVALID = {
    "null": b"null",
    "a scalar": b"7",
    "a string": b'"x"',
    "an array": b"[]",
    "an empty object": b"{}",
    "deep nesting": _nested(100),
    "very deep nesting": _nested(100_000),
    "20,000 keys": _with_data("{" + ",".join(f'"{n}":1' for n in range(20_000)) + "}"),
    "duplicate keys": b'{"type":"ORDER_CREATED","type":"ORDER_CREATED","data":{}}',
    "duplicate keys inside": _with_data('{"order_id":"1","order_id":"2"}'),
    "NaN": _with_data('{"order_id":NaN}'),
    "Infinity": _with_data('{"order_id":-Infinity}'),
    "beyond a double": _with_data('{"order_id":1e999}'),
    "beyond 64 bits": _text().replace(b"2500", b"9223372036854775808"),
    "a number of 10,000 digits": _text().replace(b"2500", b"9" * 10_000),
    "bool for money": _text().replace(b"2500", b"true"),
    "string for money": _text().replace(b"2500", b'"2500"'),
    "fraction for money": _text().replace(b"2500", b"2500.0"),
    "a lone surrogate": _order_with("\\ud800"),
    "an escaped NUL": _order_with("A\\u0000a"),
    "a control character": _order_with("A\\u001b[31m"),
    "a C1 control character": _order_with("A\\u009ba"),
    "a bidi override": _order_with("A\u202ea"),
    "a bidi isolate": _order_with("A\\u2066a"),
    "a line break in a name": _order_with("A\\na"),
    "an unknown type": json.dumps({"type": SECRET, "data": {}}).encode(),
    "a type that is no text": b'{"type":1,"data":{}}',
    "data that is no object": b'{"type":"ORDER_CREATED","data":[]}',
    "an extra field": _text(**{SECRET: 1}),
    "deduplication, which is not offered": _text(dedup_key="a"),
}

INVALID_DATA = {
    "an extra field": order() | {SECRET: 1},
    "quantity 0": order(lines=[{"sku": "MUG", "quantity": 0, "unit_price": 1}]),
    "quantity -1": order(lines=[{"sku": "MUG", "quantity": -1, "unit_price": 1}]),
    "quantity 10^9": order(lines=[{"sku": "MUG", "quantity": 10**9, "unit_price": 1}]),
    "no lines": order(lines=[], total=0),
    "a total that is not the sum": order(total=2499),
    "the same SKU twice": order(lines=[{"sku": "MUG", "quantity": 1, "unit_price": 1250}] * 2),
    "an unknown currency": order(currency="ZZZ"),
    "a mail address with a line break": order(
        customer={"id": "c", "email": "a@example.com\r\nBcc: b@example.com", "name": "A"}
    ),
    "two mail addresses": order(customer={"id": "c", "email": "a@example.com, b@example.com", "name": "A"}),
    "no customer": {"order_id": "1042"},
}

INVALID_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "a naive time": {"not_before": "2030-01-01T00:00:00"},
    "a time as a number": {"not_before": 1_900_000_000},
    "a time as digits": {"not_before": "1900000000"},
    "a day without a time": {"not_before": "2030-01-01"},
    "the year 1": {"not_before": "0001-01-01T00:00:00+14:00"},
    "the year 9999": {"not_before": "9999-12-31T23:59:59-14:00"},
    "1970": {"not_before": "1970-01-01T00:00:00Z"},
    "a zone that is none": {"not_before": "2030-01-01T00:00:00+99:00"},
    "expired": {"expires_at": "2020-01-01T00:00:00Z"},
    "expires before it starts": {"delay_ms": 7_200_000, "expires_at": "2026-01-01T00:00:00Z"},
    "a negative delay": {"delay_ms": -1},
    "an endless delay": {"delay_ms": 10**15},
    "a delay as text": {"delay_ms": "5"},
    "both a delay and a time": {"delay_ms": 1, "not_before": "2030-01-01T00:00:00Z"},
    "a priority that is none": {"priority": SECRET},
    "no attempt": {"max_attempts": 0},
    "too many attempts": {"max_attempts": 10**6},
    "an id with a slash": {"id": "a/b"},
    "an empty id": {"id": ""},
    "a long id": {"id": "a" * 65},
    "a correlation with a space": {"correlation_id": "a b"},
    "a subject with a line break": {"subject": "a\nb"},
    "a long subject": {"subject": "a" * 1000},
}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    """One gateway for all tests of this module: none of them may break it."""
    path = tmp_path_factory.mktemp("bad-input") / "gateway.db"
    shutil.copy(migrated_sqlite, path)
    async with open_house(f"sqlite:///{path}") as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def nothing_is_kept(house: House) -> AsyncGenerator[House]:
    """Whatever a test sends here, nothing comes into the journal."""
    before = await house.items("/v1/events")
    yield house
    assert await house.items("/v1/events") == before


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
async def test_what_is_no_json_text_is_400(nothing_is_kept: House, body: bytes) -> None:
    answer = await nothing_is_kept.publish_raw(body)

    assert (answer.status_code, answer.json()["type"]) == (400, "urn:shop-queue:problem:not-json")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", INVALID.values(), ids=INVALID.keys())
async def test_json_that_is_no_event_is_422(nothing_is_kept: House, body: bytes) -> None:
    answer = await nothing_is_kept.publish_raw(body)

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:shop-queue:problem:invalid")
    assert SECRET not in answer.text


@pytest.mark.parametrize("data", INVALID_DATA.values(), ids=INVALID_DATA.keys())
async def test_data_against_its_contract_is_422(nothing_is_kept: House, data: dict[str, Any]) -> None:
    answer = await nothing_is_kept.publish({"type": "ORDER_CREATED", "data": data})

    assert answer.status_code == 422, answer.text
    assert all(error["loc"][0] == "data" for error in answer.json()["errors"])
    assert SECRET not in answer.text
    assert "Bcc" not in answer.text


@pytest.mark.parametrize("attributes", INVALID_ATTRIBUTES.values(), ids=INVALID_ATTRIBUTES.keys())
async def test_attributes_that_make_no_sense_are_422(
    nothing_is_kept: House, attributes: dict[str, Any]
) -> None:
    answer = await nothing_is_kept.publish(order_created(**attributes))

    assert answer.status_code == 422, answer.text
    assert SECRET not in answer.text


async def test_an_unknown_name_is_not_told_back_but_its_place_is(nothing_is_kept: House) -> None:
    lines = [{"sku": "MUG", "quantity": 2, "unit_price": 1250, SECRET: 1}]

    answer = await nothing_is_kept.publish({"type": "ORDER_CREATED", "data": order(lines=lines)})

    assert answer.json()["errors"][0] == {
        "loc": ["data", "lines", 0],
        "type": "extra_forbidden",
        "msg": "An unknown field is not allowed",
    }


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_a_body_that_is_not_plain_json_is_415(nothing_is_kept: House, headers: dict[str, str]) -> None:
    answer = await nothing_is_kept.client.post("/v1/events", content=_text(), headers=headers)

    assert answer.status_code == 415


async def test_a_charset_of_utf_8_is_fine(house: House) -> None:
    answer = await house.publish_raw(_text(), **{"Content-Type": 'Application/JSON; Charset="UTF-8"'})

    assert answer.status_code == 202


async def test_a_body_over_256_kib_is_413(nothing_is_kept: House) -> None:
    answer = await nothing_is_kept.publish_raw(_text() + b" " * 256 * 1024)

    assert answer.status_code == 413


async def test_a_body_that_does_not_tell_its_size_is_counted(nothing_is_kept: House) -> None:
    sent = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    answer = await nothing_is_kept.client.post(
        "/v1/events", content=endless(), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 413
    assert sent < 1024 * 1024


async def test_a_body_of_256_kib_is_taken(house: House) -> None:
    body = _text()

    answer = await house.publish_raw(body + b" " * (256 * 1024 - len(body)))

    assert answer.status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        [("Idempotency-Key", "a" * 256)],
        [("Idempotency-Key", "")],
        [("Idempotency-Key", "a b")],
        [("Idempotency-Key", "é")],
        [("Idempotency-Key", "a"), ("Idempotency-Key", "a")],
    ],
)
async def test_an_idempotency_key_that_cannot_be_used_is_400(
    nothing_is_kept: House, headers: list[tuple[str, str]]
) -> None:
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    sent = [(b"Content-Type", b"application/json"), *encoded]

    answer = await nothing_is_kept.client.post("/v1/events", content=_text(), headers=sent)

    assert (answer.status_code, answer.json()["type"]) == (400, "urn:shop-queue:problem:bad-idempotency-key")


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "localhost:x", "[::1", "localhost@evil"]
)
async def test_a_host_that_is_not_ours_is_400(house: House, host: str) -> None:
    answer = await house.client.get("/v1/events", headers={"Host": host})

    assert (answer.status_code, answer.json()["type"]) == (400, "urn:shop-queue:problem:bad-host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]"])
async def test_our_own_hosts_are_answered(house: House, host: str) -> None:
    answer = await house.client.get("/v1/events", headers={"Host": host})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1000000000",
        "limit=" + "9" * 5000,
        "limit=x",
        "cursor=forged",
        "cursor=%00",
        "cursor=" + "A" * 60,
        "queue=nowhere",
        "status=sleeping",
        "type=%00",
        "subject=a%0Ab",
        "correlation_id=a%20b",
        "from=yesterday",
        "from=2026-01-01T00:00:00",
        "to=1",
        f"{SECRET}=1",
    ],
)
async def test_a_query_that_makes_no_sense_is_422(house: House, query: str) -> None:
    answer = await house.client.get(f"/v1/events?{query}")

    assert answer.status_code == 422, answer.text
    assert SECRET not in answer.text


@pytest.mark.parametrize("path", ["/v1/events/%00", "/v1/events/a%20b", "/v1/timeline/%E2%80%AE"])
async def test_an_id_that_can_be_none_is_422(house: House, path: str) -> None:
    answer = await house.client.get(path)

    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/events/unknown", 404),
        ("GET", "/v1/event-types/unknown", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/v1/events", 405),
    ],
)
async def test_what_is_not_there_is_a_problem_too(house: House, method: str, path: str, status: int) -> None:
    answer = await house.client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
