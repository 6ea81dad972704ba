from shared.client import EventPublisher, GatewayUnavailableError, Published, PublishRefusedError
from shared.events import OrderCancelled
from unit.client.fake_gateway import FakeGateway, answer

EVENT = OrderCancelled(order_id="1042", reason="out_of_stock")


async def test_many_events_are_answered_in_their_order(
    publisher: EventPublisher, gateway: FakeGateway
) -> None:
    events = [OrderCancelled(order_id=str(number), reason="x") for number in range(100)]

    answers = await publisher.publish_many(iter(events), concurrency=7, correlation_id="story")

    sent = {body["id"]: body["data"]["order_id"] for body in gateway.bodies}
    assert [sent[each.id] for each in answers] == [event.order_id for event in events]
    assert {body["correlation_id"] for body in gateway.bodies} == {"story"}
    assert len(gateway.taken) == 100


async def test_one_refused_event_does_not_stop_the_others(
    publisher: EventPublisher, gateway: FakeGateway
) -> None:
    gateway.script = [gateway.take, 422]

    answers = await publisher.publish_many([EVENT] * 4, concurrency=1)

    assert [type(each) for each in answers] == [Published, PublishRefusedError, Published, Published]


async def test_a_gateway_that_is_down_is_not_asked_for_each_of_many(
    publisher: EventPublisher, gateway: FakeGateway
) -> None:
    gateway.script = [gateway.take, answer(503, {"Retry-After": "3600"})]

    answers = await publisher.publish_many([EVENT] * 50, concurrency=1)

    assert isinstance(answers[0], Published)
    assert all(isinstance(each, GatewayUnavailableError) for each in answers[1:])
    assert len({each.id for each in answers}) == 50
    assert len(gateway.requests) == 2


async def test_no_events_need_no_request(publisher: EventPublisher, gateway: FakeGateway) -> None:
    assert await publisher.publish_many([]) == []
    assert gateway.requests == []
