from shared.events import (
    EVENT_TYPES,
    FLOW,
    QUEUES,
    WORKERS,
    OrderCreated,
    SendEmail,
    SendNotification,
    handler_of,
)

FLOWS = {
    "ORDER_CREATED": ["INVENTORY_RESERVED", "send-notification order-confirmation"],
    "INVENTORY_RESERVED": ["ORDER_CANCELLED", "LOW_STOCK_ALERT"],
    "PAYMENT_AUTHORIZED": ["ORDER_PAID", "ORDER_CANCELLED"],
    "ORDER_PAID": ["send-notification payment-receipt", "PAYMENT_REFUNDED"],
    "ORDER_SHIPPED": ["send-notification order-shipped"],
    "ORDER_CANCELLED": ["INVENTORY_RELEASED", "PAYMENT_REFUNDED", "send-notification order-cancelled"],
    "INVENTORY_RELEASED": [],
    "PAYMENT_REFUNDED": ["send-notification refund"],
    "LOW_STOCK_ALERT": ["send-notification low-stock"],
    "send-notification": [],
    "batch-notification": ["send-notification"],
    "SEND_EMAIL": [],
}


def test_every_event_causes_what_the_domain_flow_says() -> None:
    assert {
        contract.type: [f"{cause.event.type} {cause.template or ''}".strip() for cause in flow.causes]
        for contract, flow in FLOW.items()
    } == FLOWS


def test_every_type_has_its_flow_and_every_queue_its_worker() -> None:
    assert set(FLOW) == set(EVENT_TYPES.values())
    assert set(WORKERS) == set(QUEUES)


def test_who_causes_an_event_publishes_it() -> None:
    for contract, flow in FLOW.items():
        for cause in flow.causes:
            publishers = FLOW[cause.event].publishers
            assert WORKERS[contract.queue] in publishers or "anyone" in publishers


def test_clients_publish_no_internal_event() -> None:
    for contract, flow in FLOW.items():
        assert contract.internal == (not {"client", "anyone"} & set(flow.publishers))


def test_a_handler_is_found_by_the_name_of_its_event() -> None:
    assert handler_of(OrderCreated) == "services/order-worker/src/order_worker/handlers.py::on_order_created"
    worker = "services/notification-worker/src/notification_worker/handlers.py"
    assert handler_of(SendNotification) == f"{worker}::on_send_notification"
    assert handler_of(SendEmail) == f"{worker}::on_send_email"
