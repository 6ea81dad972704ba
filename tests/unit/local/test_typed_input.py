import json
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local_start.datadir import DataDir
from local_start.durations import parse_duration, parse_time
from local_start.errors import BadInputError
from local_start.publishing import publish, read_data
from local_start.welcome import example_request
from shared.events import parse


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("30", timedelta(seconds=30)),
        ("1.5s", timedelta(seconds=1.5)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
    ],
)
def test_a_duration_is_a_number_and_its_unit(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "-5s", "5 s", "s", "1e9", "nan", "5w", "٣s"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="a duration is"):
        parse_duration(text)


def test_a_time_has_an_offset() -> None:
    assert parse_time("2030-01-31T10:00:00+01:00") == datetime(2030, 1, 31, 9, tzinfo=UTC)
    with pytest.raises(ValueError, match="offset"):
        parse_time("2030-01-31T10:00:00")


def test_data_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text('{"order_id": "1"}')

    assert read_data(f"@{file}") == '{"order_id": "1"}'


def test_data_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xe9")

    with pytest.raises(BadInputError, match="No such file"):
        read_data(f"@{tmp_path / 'none'}")
    with pytest.raises(BadInputError, match="no UTF-8"):
        read_data(f"@{tmp_path / 'latin'}")


def test_data_against_the_contract_is_told_before_anything_is_sent() -> None:
    with pytest.raises(BadInputError, match=r"^--data order_id: .+ \(and \d more\)$"):
        publish("ORDER_SHIPPED", "{}", {})
    with pytest.raises(BadInputError, match="no event type 'NOPE'"):
        publish("NOPE", "{}", {})


def test_the_request_to_try_is_one_that_the_contract_takes(tmp_path: Path) -> None:
    words = shlex.split(example_request("http://127.0.0.1:8000", DataDir(tmp_path / "a place")))

    body = json.loads(words[words.index("-d") + 1])
    assert parse(body["type"], json.dumps(body["data"])).subject() == "order/1042"
    assert f"Authorization: Bearer $(cat '{tmp_path}/a place/api-key')" in words
