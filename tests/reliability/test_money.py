"""Money is right to the cent, whatever the provider does: judged by its own ledger."""

from collections.abc import Callable
from pathlib import Path

from shared.events import Event, OrderCancelled, PaymentAuthorized, PaymentRefunded
from support.checker import Checker
from support.checker_effects import ledger
from support.faults_client import order
from support.system import MOODS, Shape, System

SHAPE = Shape(payments=2, settings=MOODS)
PAYMENTS = (200, 2_000)
PRICE = 500
ENDS = {("completed", None), ("dead", "already_paid")}
"""How an event of this proof may end: a second payment of a paid order takes nothing."""


def test_the_difference_is_nought(
    tmp_path: Path, sized: Callable[[int, int], int], tell: Callable[[object], None]
) -> None:
    """Every fifth order is cancelled once it is paid, every seventh gets back a part of its money.

    Every fourth is to be paid once more, by another payment.
    """
    count = sized(*PAYMENTS)
    with System(tmp_path, SHAPE) as system, system.client() as client:
        client.set_stock("mug", 10 * count)
        numbers = range(count)
        client.publish_many([order(f"order-{n}", mug=1 + n % 3) for n in numbers])
        authorized: list[Event] = [_payment(n, f"payment-{n}") for n in numbers]
        client.publish_many([*authorized, *authorized[::3]])
        checker = Checker(system)
        checker.settle(within=120)
        client.publish_many([_payment(n, f"other-{n}") for n in numbers if n % 4 == 1])
        checker.settle(within=60)

        cancelled = [
            OrderCancelled(order_id=f"order-{n}", reason="changed_mind") for n in numbers if n % 5 == 0
        ]
        in_part = [
            PaymentRefunded(
                refund_id=f"refund-{n}",
                order_id=f"order-{n}",
                payment_id=f"payment-{n}",
                amount=1 + n,
                currency="EUR",
                reason="scratched",
            )
            for n in numbers
            if n % 5 and n % 7 == 0
        ]
        client.publish_many([*cancelled, *in_part, *cancelled[::2], *in_part[::2]])
        checker.settle(within=120)

        entries = ledger(system)
        taken = sum(entry["amount"] for entry in entries if entry["kind"] == "capture")
        given = sum(entry["amount"] for entry in entries if entry["kind"] == "refund")
        back = sum(PRICE * (1 + n % 3) for n in numbers if n % 5 == 0)
        back += sum(event.amount or 0 for event in in_part)
        tell(f"{len(entries)} movements, {taken} taken, {given} given back")
        assert taken == sum(PRICE * (1 + n % 3) for n in numbers)
        assert given == back
        keys = [entry["idempotency_key"] for entry in entries]
        assert len(set(keys)) == len(keys)
        ended = checker.rows(
            "gateway", "SELECT type, status, reason FROM journal WHERE queue <> 'notifications'"
        )
        wrong = [row for row in ended if (row["status"], row["reason"]) not in ENDS]
        assert wrong == []


def _payment(number: int, payment_id: str) -> PaymentAuthorized:
    return PaymentAuthorized(
        order_id=f"order-{number}",
        payment_id=payment_id,
        amount=PRICE * (1 + number % 3),
        currency="EUR",
        method="tok_ok",
    )
