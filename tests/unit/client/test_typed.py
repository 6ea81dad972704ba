import inspect
from typing import Unpack

import pytest
from pydantic import JsonValue, ValidationError

from shared.client import EventPublisher, Published, PublishOptions
from shared.client.typed import TypedPublishing
from shared.events import (
    EVENT_TYPES,
    EXAMPLES,
    BatchNotification,
    Customer,
    Event,
    InventoryReleased,
    InventoryReserved,
    LowStockAlert,
    OrderCancelled,
    OrderCreated,
    OrderLine,
    OrderPaid,
    OrderShipped,
    PaymentAuthorized,
    PaymentRefunded,
    Recipient,
    SendEmail,
    SendNotification,
    StockLine,
)


class Recorder(TypedPublishing):
    """Keeps what it is asked to publish."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.options: list[PublishOptions] = []

    async def publish(self, event: Event, **options: Unpack[PublishOptions]) -> Published:
        self.events.append(event)
        self.options.append(options)
        return Published(id="1", type=event.type, queue=event.queue, status="waiting", duplicate=False)


def method_of(contract: type[Event]) -> str:
    return "publish_" + contract.type.lower().replace("-", "_")


@pytest.mark.parametrize("contract", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_every_type_has_a_method_with_its_fields(contract: type[Event]) -> None:
    parameters = dict(inspect.signature(getattr(EventPublisher, method_of(contract))).parameters)

    assert parameters.pop("self")
    assert parameters.pop("options").kind is inspect.Parameter.VAR_KEYWORD
    assert {name: parameter.default is parameter.empty for name, parameter in parameters.items()} == {
        field.alias or name: field.is_required() for name, field in contract.model_fields.items()
    }
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("contract", EVENT_TYPES.values(), ids=EVENT_TYPES)
async def test_a_method_publishes_its_event_as_it_was_given(contract: type[Event]) -> None:
    recorder, example = Recorder(), EXAMPLES[contract]
    given = {field.alias or name: getattr(example, name) for name, field in contract.model_fields.items()}

    published = await getattr(recorder, method_of(contract))(**given, id="id-1", max_attempts=2)

    assert recorder.events == [example]
    assert recorder.options == [{"id": "id-1", "max_attempts": 2}]
    assert published.type == contract.type


async def test_the_methods_take_plain_python() -> None:
    recorder = Recorder()
    variables: dict[str, JsonValue] = {"percent": 20}
    ada = Customer(id="c-7", email="ada@example.com", name="Ada")
    lines = [OrderLine(sku="MUG", quantity=2, unit_price=5)]

    await recorder.publish_order_created(order_id="1", customer=ada, lines=lines, currency="EUR", total=10)
    await recorder.publish_order_paid(order_id="1", payment_id="p", amount=10, currency="EUR")
    await recorder.publish_order_shipped(order_id="1", carrier="DHL", tracking_number="2")
    await recorder.publish_order_cancelled(order_id="1", reason="x", correlation_id="story")
    await recorder.publish_payment_authorized(
        payment_id="p", order_id="1", amount=10, currency="EUR", method="tok_ok"
    )
    await recorder.publish_payment_refunded(refund_id="r", order_id="1", reason="x")
    await recorder.publish_inventory_reserved(order_id="1", lines=[StockLine(sku="MUG", quantity=2)])
    await recorder.publish_inventory_released(order_id="1", reason="x")
    await recorder.publish_low_stock_alert(sku="MUG", available=1, threshold=2)
    await recorder.publish_send_notification(
        recipient=Recipient(user_id="c-7"), template="t", variables=variables, channels=["email"]
    )
    await recorder.publish_batch_notification(
        recipients=(Recipient(user_id=f"u-{number}") for number in range(2)),
        template="t",
        variables=variables,
    )
    await recorder.publish_send_email(to="ada@example.com", subject="Hello", html="<p>Hello</p>")

    assert [type(event) for event in recorder.events] == [
        OrderCreated,
        OrderPaid,
        OrderShipped,
        OrderCancelled,
        PaymentAuthorized,
        PaymentRefunded,
        InventoryReserved,
        InventoryReleased,
        LowStockAlert,
        SendNotification,
        BatchNotification,
        SendEmail,
    ]


async def test_what_is_against_the_contract_is_not_sent() -> None:
    recorder = Recorder()

    with pytest.raises(ValidationError):
        await recorder.publish_order_shipped(order_id="1", carrier="", tracking_number="2")
    assert recorder.events == []


async def test_later_changes_of_the_variables_do_not_reach_the_event() -> None:
    recorder, variables = Recorder(), dict[str, JsonValue](name="Ada")

    await recorder.publish_send_notification(
        recipient=Recipient(user_id="c-7"), template="t", variables=variables
    )
    variables["name"] = "Grace"

    assert recorder.events[0].to_data()["variables"] == {"name": "Ada"}
