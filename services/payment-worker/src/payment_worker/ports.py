"""What the use cases need."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

from payment_worker.domain.order import Order
from payment_worker.domain.payment import Capture, Payment
from payment_worker.domain.refund import Refund
from shared.events.base import Event


class Payments(Protocol):
    """The stored payments, inside one transaction."""

    async def add(self, payment: Payment) -> bool:
        """Stores it, unclaimed.

        Changes nothing and answers False where there is one of that id, or another one of that order
        which takes money.
        """
        ...

    async def lock(self, payment_id: str) -> Payment | None:
        """The payment, which nobody else changes until the transaction ends."""
        ...

    async def lock_of_order(self, order_id: str) -> Payment | None:
        """As `lock`: the payment of that order which takes money, else its newest one."""
        ...

    async def save(self, payment: Payment) -> None:
        """Stores what has become of a payment that was added or locked here."""
        ...

    async def claim(self, payment_id: str) -> bool:
        """Makes it this run's for the time of a call; False where it is another's."""
        ...

    async def release(self, payment_id: str) -> None:
        """Ends this run's claim."""
        ...


class Refunds(Protocol):
    """The stored refunds, inside one transaction which has locked their payment."""

    async def add(self, refund: Refund) -> bool:
        """Stores it, unclaimed; where there is one of that id, changes nothing and answers False."""
        ...

    async def find(self, refund_id: str) -> Refund | None: ...

    async def save(self, refund: Refund) -> None:
        """Stores what has become of a refund."""
        ...

    async def claim(self, refund_id: str) -> bool:
        """Makes it this run's for the time of a call; False where it is another's."""
        ...

    async def release(self, refund_id: str) -> None:
        """Ends this run's claim."""
        ...


class Books(Protocol):
    """One transaction: what is stored, and what is caused if it commits."""

    @property
    def payments(self) -> Payments: ...

    @property
    def refunds(self) -> Refunds: ...

    def publish(self, event: Event) -> None: ...


class Work(Protocol):
    """The transactions of one run of an event. None is open during a call."""

    @property
    def is_expired(self) -> bool:
        """Whether the event came too late for anything that is not begun yet."""
        ...

    def step(self) -> AbstractAsyncContextManager[Books]:
        """One that is committed at the end of the block."""
        ...

    def last(self) -> AbstractAsyncContextManager[Books]:
        """The one that ends the run as completed.

        Where a copy has ended the run, the block is committed all the same, since what it says has
        happened outside; then AlreadyEndedError is raised.
        """
        ...


class OrdersAwayError(Exception):
    """order-worker cannot be asked, or gives no answer that can be used."""


@runtime_checkable
class Orders(Protocol):
    """The orders, as order-worker knows them."""

    async def find(self, order_id: str) -> Order:
        """Raises OrderMissingError where order-worker says so, OrdersAwayError."""
        ...


class ProviderAwayError(Exception):
    """The provider could not be reached: nothing has happened there."""


class UnclearError(Exception):
    """The provider was asked, and what it did is not known: ask again with the same key."""


class KeyRefusedError(Exception):
    """The provider knows the key with other parameters."""


@runtime_checkable
class Provider(Protocol):
    """The payment provider. A key has one effect there, and always the same answer.

    Each call raises ProviderAwayError, UnclearError or KeyRefusedError, and ends within a time limit.
    """

    async def capture(self, key: str, capture: Capture) -> bool:
        """True: the money was taken. False: it was declined, and will not be taken."""
        ...

    async def refund(self, refund: Refund) -> bool:
        """True: the money was given back. False: refused, and nothing is given back."""
        ...
