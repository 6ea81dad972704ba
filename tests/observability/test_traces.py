"""One trace goes from a request through every service that it sets in motion, to the call outside."""

import json

import pytest

from observability.conftest import CALLER, Watched
from support.otlp import Span
from support.waiting import until

pytestmark = pytest.mark.timeout(180)


def root_of(watched: Watched, event_id: str) -> str:
    """The trace of what handled this event."""
    found = [s for s in watched.collector.spans if s.attributes.get("messaging.message.id") == event_id]
    assert found, f"no span of {event_id}"
    return found[0].trace


def paths(spans: list[Span]) -> set[tuple[str, ...]]:
    """For each span: the names on the way to it from the root of its trace."""
    by_id = {span.id: span for span in spans}

    def path(span: Span) -> tuple[str, ...]:
        above = path(by_id[span.parent]) if span.parent in by_id else ()
        return (*above, f"{span.service}: {span.name}")

    return {path(span) for span in spans}


def test_an_order_is_one_trace_from_the_request_to_its_mail(watched: Watched) -> None:
    request = ("gateway: POST /v1/events", "gateway: send orders", "order-worker: handle ORDER_CREATED")
    mail = (
        *request,
        "order-worker: send notifications",
        "notification-worker: handle send-notification",
        "notification-worker: smtp send",
    )
    stock = (*request, "order-worker: send inventory", "inventory-worker: handle INVENTORY_RESERVED")
    trace = root_of(watched, watched.ids["order"])

    until(lambda: {mail, stock} <= paths(watched.collector.of_trace(trace)), within=20)


def test_a_payment_is_one_trace_through_the_providers_call_to_the_receipt(watched: Watched) -> None:
    handled = (
        "gateway: POST /v1/events",
        "gateway: send payments",
        "payment-worker: handle PAYMENT_AUTHORIZED",
    )
    asked = (*handled, "payment-worker: GET 127.0.0.1", "order-worker: GET /v1/orders/{order_id}")
    charged = (*handled, "payment-worker: POST 127.0.0.1")
    told = (
        *handled,
        "payment-worker: send orders",
        "order-worker: handle ORDER_PAID",
        "order-worker: send notifications",
        "notification-worker: handle send-notification",
        "notification-worker: smtp send",
    )
    trace = root_of(watched, watched.ids["payment"])

    until(lambda: {asked, charged, told} <= paths(watched.collector.of_trace(trace)), within=20)


def test_a_caller_within_a_trace_finds_its_events_there(watched: Watched) -> None:
    trace = CALLER.split("-")[1]

    until(lambda: any(s.name == "handle ORDER_SHIPPED" for s in watched.collector.of_trace(trace)), within=20)


def test_a_handling_says_how_it_ended_and_why(watched: Watched) -> None:
    def dead() -> Span | None:
        return next(
            (
                span
                for span in watched.collector.named("handle PAYMENT_AUTHORIZED")
                if span.attributes["messaging.message.id"] == watched.ids["mismatch"]
            ),
            None,
        )

    until(lambda: dead() is not None, within=20)
    span = dead()
    assert span is not None
    assert (span.attributes["queue.outcome"], span.attributes["queue.reason"], span.error) == (
        "dead",
        "amount_mismatch",
        "amount_mismatch",
    )


def test_probes_scrapes_and_the_hand_over_have_no_trace(watched: Watched) -> None:
    names = {span.name for span in watched.collector.spans}

    assert not {name for name in names if "/internal/" in name or "/readyz" in name or "/metrics" in name}


def test_a_line_about_an_event_carries_its_trace(watched: Watched) -> None:
    trace = root_of(watched, watched.ids["mismatch"])

    lines = [json.loads(line) for line in watched.system.log("payment-worker").splitlines()]

    (dead,) = [line for line in lines if line["event"] == "dead"]
    assert (dead["trace_id"], dead["reason"]) == (trace, "amount_mismatch")
    spans = {span.id: span.name for span in watched.collector.of_trace(trace)}
    assert spans[dead["span_id"]] == "handle PAYMENT_AUTHORIZED"


def test_no_span_holds_what_an_event_is_about(watched: Watched) -> None:
    said = " ".join(str(span) for span in watched.collector.spans)

    assert "ada@example.com" not in said
    assert "tok_ok" not in said
