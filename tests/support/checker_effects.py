"""What happened outside of the databases, by the ledgers of those to whom it happened: money and mails."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import httpx

from support.system import SANDBOX, SINK, System

Row = Mapping[str, Any]
Rows = Callable[[str, str], list[Row]]
"""Asks the database of a kind of service."""
CAPTURED = {"captured", "partly_refunded", "refunded"}
PAID = {"paid", "shipped"}


def ledger(system: System) -> list[Row]:
    """What the provider says that happened, newest last."""
    return _answer(system, SANDBOX, "/v1/ledger")["entries"]


def mails(system: System) -> list[Row]:
    """What the mail server took, newest first."""
    return _answer(system, SINK, "/api/v1/messages")["messages"]


def money_is_wrong(system: System, rows: Rows) -> Iterable[tuple[str, str]]:
    """What is wrong with the money, as `lost`, `double` or `unexpected`, to the cent."""
    entries = ledger(system)
    keys = Counter(entry["idempotency_key"] for entry in entries)
    yield from (("double", f"{count} entries of {key}") for key, count in keys.items() if count > 1)
    taken, given = _sums(entries, "capture"), _sums(entries, "refund")
    payments = {row["payment_id"]: row for row in rows("payment-worker", "SELECT * FROM payments")}
    for payment_id, payment in payments.items():
        yield from _payment_is_wrong(payment, taken.pop(payment_id, []), given.pop(payment_id, []))
    yield from (("unexpected", f"money moved for {name}, which nobody knows") for name in {*taken, *given})
    yield from _orders_are_wrong(entries, rows)


def _payment_is_wrong(payment: Row, taken: Sequence[int], given: Sequence[int]) -> Iterable[tuple[str, str]]:
    name, status = payment["payment_id"], payment["status"]
    wanted = [payment["amount"]] if status in CAPTURED else []
    if status in {"capturing", "unknown"}:
        yield "lost", f"payment {name} is {status}"
    elif list(taken) != wanted:
        kind = "double" if len(taken) > len(wanted) else "lost"
        yield kind, f"payment {name} is {status}, and {taken} were taken for it, not {wanted}"
    if sum(given) != payment["refunded"] or payment["refunding"]:
        told = f"{payment['refunded']} refunded, {payment['refunding']} on its way"
        yield "unexpected", f"payment {name}: {given} were given back, not {told}"


def _orders_are_wrong(entries: Sequence[Row], rows: Rows) -> Iterable[tuple[str, str]]:
    """The shop has the money for each order that is paid, and for no other."""
    has: dict[str, int] = defaultdict(int)
    for entry in entries:
        has[entry["order_id"]] += entry["amount"] if entry["kind"] == "capture" else -entry["amount"]
    for order in rows("order-worker", "SELECT * FROM orders"):
        due = order["total"] if order["status"] in PAID else 0
        held = has.pop(order["order_id"], 0)
        if held != due:
            kind = "double" if held > due else "lost"
            yield kind, f"order {order['order_id']} is {order['status']}: {held} taken, {due} due"
    yield from (("unexpected", f"money for {name}, which was never placed") for name in has)


def _sums(entries: Sequence[Row], kind: str) -> dict[str, list[int]]:
    amounts: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        if entry["kind"] == kind:
            amounts[entry["payment_id"]].append(entry["amount"])
    return amounts


def mails_are_wrong(system: System, rows: Rows, journal: Mapping[str, Row]) -> Iterable[tuple[str, str]]:
    """Each mail once; one that was cut off once or twice, and then its event says so."""
    taken = Counter(_message_id(mail) for mail in mails(system))
    messages = rows("notification-worker", "SELECT * FROM messages WHERE channel = 'email'")
    written: set[str] = set()
    for message in messages:
        event = journal.get(message["event_id"])
        name = f"mail of {event and event['data'][:80]} {message['event_id']}"
        count = taken.pop(message["id"], 0)
        if message["state"] != "sent":
            yield "unexpected", f"{name} is {message['state']}: {message['reason']}"
            continue
        written.add(message["event_id"])
        most = 2 if message["uncertain"] else 1
        if not 1 <= count <= most:
            yield ("lost" if count < 1 else "double"), f"{name} was taken {count} times"
        if event and bool(event["uncertain"]) != bool(message["uncertain"]):
            yield "unexpected", f"{name}: uncertain {message['uncertain']}, its event {event['uncertain']}"
    yield from (
        ("unexpected", f"{count} mails of {name}, which nobody wrote") for name, count in taken.items()
    )
    for event in journal.values():
        reached = event["type"] == "send-notification" and json.loads(event["data"])["recipient"].get("email")
        if event["status"] == "completed" and reached and event["id"] not in written:
            yield "lost", f"{event['id']} is completed, and no mail was sent for it"


def _message_id(mail: Row) -> str:
    """The name of the message's row, which its Message-ID carries."""
    return mail["Headers"]["Message-ID"][0].strip("<>").partition("@")[0]


def _answer(system: System, kind: str, path: str) -> Any:
    answer = httpx.get(system.service(kind).url + path, timeout=30, trust_env=False)
    return answer.raise_for_status().json()
