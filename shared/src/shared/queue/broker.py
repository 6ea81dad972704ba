"""A genuine FastStream broker whose subscribers lose nothing.

This is the one module that leans on FastStream's semi-private parts: it subclasses
`StreamSubscriber`, replaces how it starts, reads and stops, and registers it through
`Registrator.subscriber`. Parsing, dependency injection, middlewares, AsyncAPI and the test broker
stay FastStream's own. `faststream` is pinned to one minor version, and
`tests/contract/test_faststream_hook.py` says what is relied upon.
"""

from types import TracebackType
from typing import Any, cast

from faststream import AckPolicy
from faststream._internal.broker.registrator import Registrator
from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream._internal.endpoint.subscriber.usecase import SubscriberUsecase
from faststream.redis import RedisBroker, StreamSub
from faststream.redis.configs import ConnectionState, RedisBrokerConfig
from faststream.redis.message import DefaultStreamMessage, RedisStreamMessage
from faststream.redis.subscriber.config import RedisSubscriberConfig, RedisSubscriberSpecificationConfig
from faststream.redis.subscriber.specification import StreamSubscriberSpecification
from faststream.redis.subscriber.usecases import StreamSubscriber
from pydantic import ValidationError
from redis.asyncio import Redis

from shared.events import Priority, parse
from shared.queue.address import RedisAddress
from shared.queue.codec import DATA_FIELD, EntryFormat
from shared.queue.connection import client_of, connect
from shared.queue.consumer import Consumer, ConsumerOptions, Observer
from shared.queue.declaration import Queue
from shared.queue.keys import GROUP, QueueKeys, lane_number
from shared.queue.ledger import Delivery, Ledger
from shared.queue.outcomes import GiveUpError


class QueueSubscriber(StreamSubscriber):
    """A stream subscriber that is fed by a `Consumer`. Between the two, only `process_message`."""

    consumer: Consumer
    lanes: tuple[str, ...]

    @property
    def stream_sub(self) -> StreamSub:
        """The stock property copies the declaration anew for every message."""
        return self._stream_sub

    async def start(self) -> None:
        # As the stock start does first: there is no other way in, and its type of a client is too narrow.
        self.parser._setup(self._client, GROUP)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportArgumentType]
        await SubscriberUsecase.start(self)
        self._post_start()
        self.consumer.start()

    async def stop(self) -> None:
        await self.consumer.stop()
        await SubscriberUsecase.stop(self)

    async def process_delivery(self, delivery: Delivery) -> None:
        message = _FetchedMessage(
            type="stream",
            channel=self.lanes[delivery.lane - 1],
            message_ids=[delivery.entry_id.encode()],
            data={DATA_FIELD: delivery.raw},
            delivery=delivery,
        )
        await self.process_message(message)

    async def parse(self, message: DefaultStreamMessage, original: Any) -> RedisStreamMessage:
        """A delivery was read when it was fetched; any other message, a test broker's, is FastStream's."""
        delivery: Delivery | None = message.get("delivery")
        if delivery is None or delivery.envelope is None:
            return await original(message)
        return RedisStreamMessage(
            raw_message=message,
            body=delivery.body,
            headers=delivery.headers,
            content_type="application/json",
            correlation_id=delivery.envelope.correlation_id,
            message_id=delivery.event_id,
            consumer=self.parser.consumer,
            group=GROUP,
        )


class _FetchedMessage(DefaultStreamMessage):
    """FastStream's raw message, and what we know of it beyond."""

    delivery: Delivery


class _OneConnection(ConnectionState[Redis]):
    """FastStream's side of the broker uses the client of the queues, whatever it is connected to."""

    def __init__(self, broker: "QueueBroker") -> None:
        super().__init__()
        self._broker = broker

    async def connect(self) -> Redis:
        self._client = self._broker.queue_client
        self._connected = True
        return self._client


class QueueBroker(RedisBroker):
    """A `RedisBroker` that can also `serve` a declared queue."""

    def __init__(self, url: str, **options: Any) -> None:
        """Takes what `shared.queue.connection.connect` takes."""
        self.url = url
        self._queue_client: Redis | None = None
        address = RedisAddress.parse(url)
        # FastStream reads only redis:// itself; this one is never dialled: see `_make_connection_state`
        shown = f"{address.kind}://{address}"
        super().__init__("redis://unused", specification_url=shown, protocol="redis", **options)

    @property
    def queue_client(self) -> Redis:
        """The connection of the queues' own scripts; it connects on first use."""
        if self._queue_client is None:
            self._queue_client = connect(self.url)
        return self._queue_client

    def _make_connection_state(
        self,
        connection_options: dict[str, Any],  # noqa: ARG002 FastStream's reading of the address
        kwargs: dict[str, Any],  # noqa: ARG002 FastStream's
    ) -> ConnectionState[Any]:
        return _OneConnection(self)

    def serve(
        self, queue: Queue, *, ledger: Ledger, options: ConsumerOptions, observer: Observer | None = None
    ) -> Consumer:
        """Registers a subscriber for the queue with all of its handlers. It starts with the broker."""
        lanes = QueueKeys(queue.name).lanes
        declaration = StreamSub(lanes[lane_number(Priority.NORMAL) - 1], group=GROUP, consumer=options.name)
        outer = cast("RedisBrokerConfig", self.config)  # a composition of configurations behaves like one
        config = RedisSubscriberConfig(
            stream_sub=declaration,
            no_reply=True,
            _outer_config=outer,
            _ack_policy=AckPolicy.MANUAL,
            _message_format=EntryFormat,
        )
        calls: CallsCollection[Any] = CallsCollection()
        specification = StreamSubscriberSpecification(
            outer,
            RedisSubscriberSpecificationConfig(title_=queue.name, description_=None),
            calls,
            stream_sub=declaration,
        )
        subscriber = QueueSubscriber(config, specification, calls)
        subscriber.lanes = lanes
        Registrator.subscriber(self, subscriber)
        subscriber.add_call(parser_=subscriber.parse, decoder_=_decode_by_contract, dependencies_=())
        for registration in queue.registrations.values():
            subscriber(registration.handler, filter=_is_type(registration.event.type))
        subscriber.consumer = Consumer(
            queue,
            client=client_of(self.queue_client, queue.name),
            ledger=ledger,
            process=subscriber.process_delivery,
            options=options,
            observer=observer,
        )
        return subscriber.consumer

    async def stop(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        await super().stop(exc_type, exc_val, exc_tb)
        if self._queue_client is not None:
            await self._queue_client.aclose()
            self._queue_client = None


async def _decode_by_contract(message: RedisStreamMessage, original: Any) -> Any:
    """The event itself, validated in strict JSON mode; FastStream would validate a dict, leniently.

    Raises `UnknownTypeError`, or gives up as `invalid`. A handler's own ValidationError is another matter.
    """
    if not (type_name := message.headers.get("type")):
        return await original(message)
    try:
        return parse(type_name, message.body)
    except ValidationError as error:
        raise GiveUpError("invalid", str(error)) from error


def _is_type(type_name: str) -> Any:
    async def matches(message: RedisStreamMessage) -> bool:
        return message.headers.get("type") == type_name

    return matches
