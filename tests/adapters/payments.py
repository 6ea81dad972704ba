"""Payments and refunds in dicts, with the checks that the tables make, and the orders that they are for."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from payment_worker.domain.order import Order, OrderMissingError
from payment_worker.domain.payment import TAKES_NOTHING, Payment
from payment_worker.domain.refund import Refund
from payment_worker.ports import OrdersAwayError
from shared.events.base import Event


@dataclass
class Stored:
    """What is committed; the payments in the order in which they were added."""

    payments: dict[str, Payment] = field(default_factory=dict[str, Payment])
    refunds: dict[str, Refund] = field(default_factory=dict[str, Refund])
    claims: dict[str, str] = field(default_factory=dict[str, str])
    """Who has claimed what: owners by key."""
    caused: list[Event] = field(default_factory=list[Event])

    def copy(self) -> "Stored":
        return Stored(dict(self.payments), dict(self.refunds), dict(self.claims), list(self.caused))


class FakeBooks:
    def __init__(self, stored: Stored, owner: str) -> None:
        self.payments = FakePayments(stored, owner)
        self.refunds = FakeRefunds(stored, owner)
        self._stored = stored

    def publish(self, event: Event) -> None:
        self._stored.caused.append(event)


class FakePayments:
    def __init__(self, stored: Stored, owner: str) -> None:
        self._stored, self._owner = stored, owner

    async def add(self, payment: Payment) -> bool:
        known = self._stored.payments.values()
        live = {other.order_id for other in known if other.status not in TAKES_NOTHING}
        if payment.payment_id in self._stored.payments or payment.order_id in live:
            return False
        self._stored.payments[payment.payment_id] = payment
        return True

    async def lock(self, payment_id: str) -> Payment | None:
        return self._stored.payments.get(payment_id)

    async def lock_of_order(self, order_id: str) -> Payment | None:
        known = [payment for payment in self._stored.payments.values() if payment.order_id == order_id]
        live = [payment for payment in known if payment.status not in TAKES_NOTHING]
        return (live or known[::-1] or [None])[0]

    async def save(self, payment: Payment) -> None:
        assert 0 <= payment.refunding + payment.refunded <= payment.amount
        self._stored.payments[payment.payment_id] = payment

    async def claim(self, payment_id: str) -> bool:
        return self._stored.claims.setdefault(payment_id, self._owner) == self._owner

    async def release(self, payment_id: str) -> None:
        if self._stored.claims.get(payment_id) == self._owner:
            del self._stored.claims[payment_id]


class FakeRefunds:
    def __init__(self, stored: Stored, owner: str) -> None:
        self._stored, self._owner = stored, owner

    async def add(self, refund: Refund) -> bool:
        return self._stored.refunds.setdefault(refund.refund_id, refund) is refund

    async def find(self, refund_id: str) -> Refund | None:
        return self._stored.refunds.get(refund_id)

    async def save(self, refund: Refund) -> None:
        self._stored.refunds[refund.refund_id] = refund

    async def claim(self, refund_id: str) -> bool:
        return self._stored.claims.setdefault(refund_id, self._owner) == self._owner

    async def release(self, refund_id: str) -> None:
        if self._stored.claims.get(refund_id) == self._owner:
            del self._stored.claims[refund_id]


class FakeWork:
    """Transactions on what is stored: what a block did is there after it, or was never there."""

    def __init__(self, stored: Stored | None = None, *, owner: str = "run-1") -> None:
        self.stored = stored or Stored()
        self.owner = owner
        self.open = False
        self.ended = False
        self.is_expired = False

    @asynccontextmanager
    async def step(self) -> AsyncGenerator[FakeBooks]:
        after = self.stored.copy()
        self.open = True
        try:
            yield FakeBooks(after, self.owner)
        finally:
            self.open = False
        vars(self.stored).update(vars(after))

    @asynccontextmanager
    async def last(self) -> AsyncGenerator[FakeBooks]:
        async with self.step() as books:
            yield books
        self.ended = True


class FakeOrderWorker:
    def __init__(self, *orders: Order) -> None:
        self.orders = {order.order_id: order for order in orders}
        self.is_away = False
        self.asked = 0

    async def find(self, order_id: str) -> Order:
        self.asked += 1
        if self.is_away:
            raise OrdersAwayError("order-worker: it is away")
        if order_id not in self.orders:
            raise OrderMissingError(order_id)
        return self.orders[order_id]
