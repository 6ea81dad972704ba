"""What a worker hands over."""

from typing import Any

NOW = "2026-11-24T10:00:00Z"


def caused(event_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": event_id,
        "run": 0,
        "type": "INVENTORY_RESERVED",
        "queue": "inventory",
        "source": "order-worker",
        "time": NOW,
        "correlation_id": "1042",
        "data": '{"order_id":"1042","lines":[{"sku":"MUG","quantity":2}]}',
        "subject": "order/1042",
        "causation_id": "e-1",
        "priority": "normal",
        "not_before": None,
        "expires_at": None,
        "max_attempts": None,
        "sent_epoch": "epoch-1",
        **changes,
    }


def outcome(event_id: str, outcome: str = "completed", **changes: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "run": 0,
        "type": "INVENTORY_RESERVED",
        "queue": "inventory",
        "outcome": outcome,
        "reason": None,
        "error": None,
        "traceback": None,
        "worker": "inventory-1",
        "started_at": "2026-11-24T10:00:01Z",
        "ended_at": "2026-11-24T10:00:02Z",
        "correlation_id": "1042",
        "raw": None,
        **changes,
    }


def attempt(event_id: str, number: int = 1, effort: str = "failed", **changes: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "run": 0,
        "delivery": f"2/1-0/{number}",
        "effort": effort,
        "reason": "provider_down",
        "error": "no answer",
        "traceback": "Traceback: …",
        "worker": "inventory-1",
        "started_at": f"2026-11-24T10:01:0{number}Z",
        "ended_at": f"2026-11-24T10:01:0{number}.5Z",
        "retry_at": "2026-11-24T10:05:00Z",
        **changes,
    }
