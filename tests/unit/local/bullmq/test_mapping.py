from pathlib import Path

import pytest

from local_start.bullmq.jobs import Job, State
from local_start.bullmq.mapping import DoesNotMapError, JobMappings, Lanes
from local_start.errors import BadInputError
from shared.events import OrderShipped, Priority

MAPPING = """
[queues.shop.jobs]
"order.sent" = "ORDER_SHIPPED"

[queues.shop.jobs.parcel]
type = "ORDER_SHIPPED"
fields = { order_id = "order.id", tracking_number = "code" }
set = { carrier = "DHL" }

[priority]
high = 1
normal = 10
"""


def job(name: str, data: str, queue: str = "shop") -> Job:
    return Job(queue=queue, id="1", state=State.WAIT, name=name, data=data.encode(), created=0)


@pytest.fixture
def mappings(tmp_path: Path) -> JobMappings:
    file = tmp_path / "mapping.toml"
    file.write_text(MAPPING)
    return JobMappings.read(file)


SHIPPED = '{"order_id": "7", "carrier": "DHL", "tracking_number": "t"}'


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("ORDER_SHIPPED", SHIPPED),
        ("order.sent", SHIPPED),
        ("parcel", '{"order": {"id": "7", "total": 1.5}, "code": "t", "more": [1]}'),
    ],
)
def test_a_job_is_an_event_by_its_name_or_by_the_mapping(mappings: JobMappings, name: str, data: str) -> None:
    event = mappings.event_of(job(name, data))

    assert event == OrderShipped(order_id="7", carrier="DHL", tracking_number="t")


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("order.sent.twice", SHIPPED, "no event type"),
        ("ORDER_SHIPPED", '{"order_id": "7"}', "carrier: Field required"),
        ("ORDER_SHIPPED", '{"order_id": "7", ', "not the data of ORDER_SHIPPED"),
        ("parcel", "no JSON", "can't be read as JSON"),
        pytest.param("parcel", "[" * 200_000, "can't be read as JSON", id="deep"),
        pytest.param("ORDER_SHIPPED", "[" * 200_000, "not the data of ORDER_SHIPPED", id="deep, by name"),
        ("parcel", "[]", "order_id: Field required"),
        ("parcel", '{"order": {"id": 7}, "code": "t"}', "order_id: Input should be a valid string"),
    ],
)
def test_what_does_not_map_says_why(mappings: JobMappings, name: str, data: str, why: str) -> None:
    with pytest.raises(DoesNotMapError, match=why):
        mappings.event_of(job(name, data))


def test_the_reason_never_shows_the_data(mappings: JobMappings) -> None:
    with pytest.raises(DoesNotMapError) as caught:
        mappings.event_of(job("ORDER_SHIPPED", '{"order_id": "secret\\u0000", "extra": "secret"}'))

    assert "secret" not in str(caught.value)


def test_another_queue_is_not_concerned(mappings: JobMappings) -> None:
    with pytest.raises(DoesNotMapError, match="no event type"):
        mappings.event_of(job("parcel", "{}", queue="another"))


def test_lanes_keep_the_order_of_bullmq_unless_told_otherwise(mappings: JobMappings) -> None:
    assert [Lanes().of(priority) for priority in (0, 1, 9)] == [Priority.NORMAL, Priority.LOW, Priority.LOW]
    assert [mappings.priority.of(priority) for priority in (0, 1, 2, 10, 11)] == [
        Priority.HIGH,
        Priority.HIGH,
        Priority.NORMAL,
        Priority.NORMAL,
        Priority.LOW,
    ]


def test_the_queues_are_those_of_the_mapping_else_ours(mappings: JobMappings) -> None:
    assert mappings.queue_names == ("shop",)
    assert JobMappings().queue_names == ("orders", "payments", "inventory", "notifications")


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.toml", '[queues.shop.jobs]\nx = "NO_SUCH_TYPE"', "no such event type"),
        ("a.toml", "queues = [", "a.toml"),
        ("a.json", '{"queue": {}}', "queue: Extra inputs"),
        ("a.json", "{", "a.json"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_told(tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(BadInputError, match=why):
        JobMappings.read(tmp_path / name)


def test_a_mapping_may_be_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"queues": {"shop": {"jobs": {"sent": "ORDER_SHIPPED"}}}}')

    assert JobMappings.read(tmp_path / "a.json").event_of(job("sent", SHIPPED)).type == "ORDER_SHIPPED"
