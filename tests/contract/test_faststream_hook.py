"""What `shared.queue.broker` relies on in FastStream beyond its documentation."""

import inspect
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pytest
from faststream import AckPolicy
from faststream._internal.broker.registrator import Registrator
from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream._internal.endpoint.subscriber.usecase import SubscriberUsecase
from faststream.exceptions import SubscriberNotFound
from faststream.redis import RedisBroker, StreamSub, TestRedisBroker
from faststream.redis.message import FAKE_CONSUMER, DefaultStreamMessage, RedisStreamMessage
from faststream.redis.subscriber.config import RedisSubscriberConfig, RedisSubscriberSpecificationConfig
from faststream.redis.subscriber.specification import StreamSubscriberSpecification
from faststream.redis.subscriber.usecases import StreamSubscriber

from shared.events import OrderShipped
from shared.queue import ConsumerOptions, GiveUpError, MemoryLedger, Queue, QueueBroker
from shared.queue.broker import QueueSubscriber
from support.deliveries import delivery, envelope
from support.queueing import NORMAL

NOWHERE = "redis://127.0.0.1:1/0"
ROOT = Path(__file__).parents[2]


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_faststream_is_pinned_to_one_minor_version() -> None:
    (pin,) = [
        line.strip().strip('",')
        for line in (ROOT / "shared" / "pyproject.toml").read_text().splitlines()
        if "faststream" in line and line.strip().startswith('"')
    ]

    assert "~=0.7." in pin
    assert version("faststream").startswith("0.7.")


HOOKS: list[tuple[Any, list[str]]] = [
    (StreamSubscriber.__init__, ["self", "config", "specification", "calls"]),
    (StreamSubscriberSpecification.__init__, ["self", "_outer_config", "specification_config", "calls"]),
    (SubscriberUsecase.start, ["self"]),
    (SubscriberUsecase.stop, ["self"]),
    (SubscriberUsecase.process_message, ["self", "msg"]),
    (SubscriberUsecase.add_call, ["self", "parser_", "decoder_", "dependencies_", "codec_"]),
]


@pytest.mark.parametrize(
    ("function", "expected"), HOOKS, ids=lambda value: getattr(value, "__qualname__", "")
)
def test_the_hooks_take_what_they_are_given(function: Callable[..., Any], expected: list[str]) -> None:
    assert parameters(function)[: len(expected)] == expected


def test_a_subscriber_is_registered_by_its_object() -> None:
    assert parameters(cast("Any", Registrator.subscriber))[:2] == ["self", "subscriber"]


def test_a_stream_subscriber_has_what_the_queue_replaces() -> None:
    for name in ("start", "stop", "process_message", "_post_start", "stream_sub"):
        assert hasattr(StreamSubscriber, name)
    for name in ("_client", "_outer_config"):
        assert name in dir(StreamSubscriber) or name in _slots(StreamSubscriber)
    assert {"_stream_sub", "parser"} <= _slots(StreamSubscriber)


def test_the_configuration_takes_what_it_is_given() -> None:
    fields = {"stream_sub", "no_reply", "_outer_config", "_ack_policy", "_message_format"}

    assert fields <= set(parameters(RedisSubscriberConfig))
    assert {"title_", "description_"} <= set(parameters(RedisSubscriberSpecificationConfig))
    assert {"group", "consumer"} <= set(parameters(StreamSub.__init__))
    assert AckPolicy.MANUAL


def test_a_message_takes_what_it_is_given() -> None:
    raw = DefaultStreamMessage(type="stream", channel=NORMAL, message_ids=[b"1-1"], data={})
    message = RedisStreamMessage(
        raw_message=raw,
        body=b"{}",
        headers={"type": "ORDER_SHIPPED"},
        content_type="application/json",
        correlation_id="story",
        message_id="x",
        consumer=FAKE_CONSUMER,
        group="workers",
    )

    assert (message.body, message.headers["type"], message.correlation_id) == (
        b"{}",
        "ORDER_SHIPPED",
        "story",
    )


def test_an_empty_collection_of_calls_can_be_made() -> None:
    calls: CallsCollection[Any] = CallsCollection()

    assert list(calls) == []


@pytest.fixture
async def served() -> AsyncIterator[tuple[QueueSubscriber, list[str]]]:
    """A subscriber as a broker sets it up, and what its handler noted."""
    notes: list[str] = []
    queue = Queue("orders")

    @queue.on(OrderShipped)
    async def handle(event: OrderShipped) -> None:
        notes.append(event.order_id)
        if event.order_id == "bug":
            raise KeyError(event.order_id)

    broker = QueueBroker(NOWHERE, logger=None)
    broker.serve(queue, ledger=MemoryLedger(), options=ConsumerOptions("test"))
    async with TestRedisBroker(broker):
        (subscriber,) = broker.subscribers
        assert isinstance(subscriber, QueueSubscriber)
        yield subscriber, notes


async def test_a_delivery_reaches_its_handler(served: tuple[QueueSubscriber, list[str]]) -> None:
    subscriber, notes = served

    await subscriber.process_delivery(delivery())

    assert notes == ["o"]


async def test_what_a_handler_raises_comes_out(served: tuple[QueueSubscriber, list[str]]) -> None:
    subscriber, notes = served
    bug = envelope(data='{"order_id":"bug","carrier":"dhl","tracking_number":"1"}')

    with pytest.raises(KeyError, match="bug"):
        await subscriber.process_delivery(delivery(bug))

    assert notes == ["bug"]


async def test_data_against_the_contract_comes_out(served: tuple[QueueSubscriber, list[str]]) -> None:
    subscriber, notes = served

    with pytest.raises(GiveUpError, match="validation error"):
        await subscriber.process_delivery(delivery(envelope(data='{"order_id":1}')))

    assert notes == []


async def test_a_type_without_a_handler_comes_out(served: tuple[QueueSubscriber, list[str]]) -> None:
    subscriber, _ = served

    with pytest.raises(SubscriberNotFound):
        await subscriber.process_delivery(delivery(envelope(type="ORDER_PAID")))


def test_a_queue_broker_is_a_redis_broker() -> None:
    assert issubclass(QueueBroker, RedisBroker)


def _slots(kind: type) -> set[str]:
    return {slot for base in kind.__mro__ for slot in getattr(base, "__slots__", ())}
