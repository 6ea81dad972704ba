"""A steady stream of orders, cancellations, shipments and mails, published by several threads."""

import random
import threading
from types import TracebackType
from typing import Self

from shared.events import Event, OrderCancelled, OrderCreated, OrderPaid, OrderShipped, PaymentAuthorized
from support.faults_client import Client, History, order, told
from support.system import KEY, System
from support.waiting import until

SKUS = ("mug", "pot", "cup")
PLENTY = 100_000
OUT_OF_ORDER = 0.05
DOUBTFUL = ("tok_timeout_after_charge", "tok_error_once", "tok_slow")
"""Means of payment with which the money is taken in the end, and the first answer does not say so."""


class Load:
    """Publishes while it may go on. Every event is published once to four times, always with its id.

    One order in ten wants a SKU that nobody has, some are cancelled, paid or shipped; 5 % of what follows an
    order is published before it. Orders of the same number are the same order.
    """

    def __init__(self, system: System, *, threads: int = 4, pause: float = 0.0, seed: int = 1) -> None:
        self.history = History()
        self.stock: dict[str, int] = dict.fromkeys(SKUS, PLENTY)
        self._system = system
        self._pause = pause
        self._random = random.Random(seed)
        self._client = Client([s.url for s in system.of_kind("gateway")], KEY, self.history)
        self._turn = threading.Lock()
        self._stories = 0
        self._allowed = threading.Event()
        self._done = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._publish, daemon=True) for _ in range(threads)]

    @property
    def accepted(self) -> int:
        return len(self.history.accepted)

    @property
    def client(self) -> Client:
        return self._client

    def __enter__(self) -> Self:
        for sku, count in self.stock.items():
            self._client.set_stock(sku, count, threshold=PLENTY - 20)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._allowed.set()
        self._done.set()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def go_on(self, *, until_accepted: int, within: float = 120) -> None:
        """Publishes on until so many events were accepted in all, and then goes on still."""
        self._allowed.set()
        until(lambda: self.accepted >= until_accepted or self._errors, within=within)
        self._raise()

    def hold(self) -> None:
        """Publishes nothing more until `go_on`."""
        self._allowed.clear()

    def finish(self) -> None:
        """Ends the stories that are begun; returns once all is accepted."""
        self._done.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive(), "a publisher goes on"
        self._raise()

    def _raise(self) -> None:
        if self._errors:
            raise self._errors[0]

    def _publish(self) -> None:
        try:
            while not self._done.is_set():
                self._allowed.wait()
                for event_id, event in self._story():
                    for _ in range(1 + self._random.choice((0, 0, 0, 1, 2, 3))):
                        self._client.publish(event, id=event_id)
                self._done.wait(self._pause)
        except BaseException as error:  # noqa: BLE001 the test's thread raises it
            self._errors.append(error)

    def _story(self) -> list[tuple[str, Event]]:
        """Events with their ids, in the order in which they are published."""
        with self._turn:
            self._stories += 1
            number, in_order = self._stories, self._random.random() >= OUT_OF_ORDER
        order_id = f"order-{number}"
        placed = order(order_id, **{SKUS[number % len(SKUS)]: 1 + number % 3})
        followed: list[Event] = []
        match number % 10:
            case 0:
                placed = order(order_id, nobody_has_it=1)
            case 1 | 2:
                followed = [OrderCancelled(order_id=order_id, reason="changed_mind")]
            case 3 | 4:
                shipped = OrderShipped(order_id=order_id, carrier="DHL", tracking_number=f"parcel-{number}")
                followed = [self._paid(placed), shipped]
            case 5 if self._system.shape.payments:
                followed = [self._paid(placed), OrderCancelled(order_id=order_id, reason="changed_mind")]
            case 6 if self._system.shape.payments:
                followed = [self._paid(placed, "tok_declined")]
            case 7 if self._system.shape.payments:
                followed = [self._paid(placed, random.Random(number).choice(DOUBTFUL))]
            case _:
                pass
        if self._system.shape.odd and number % 5 == 0:
            followed.append(told("cause 2"))
        events = [placed, *followed] if in_order else [*followed, placed]
        return [(f"{event.type}.{number}", event) for event in events]

    def _paid(self, placed: OrderCreated, method: str = "tok_ok") -> Event:
        """What makes the order paid: an authorised payment, or where nobody captures it, the fact."""
        name, total = f"payment-{placed.order_id}", placed.total
        if not self._system.shape.payments:
            return OrderPaid(order_id=placed.order_id, payment_id=name, amount=total, currency="EUR")
        return PaymentAuthorized(
            order_id=placed.order_id, payment_id=name, amount=total, currency="EUR", method=method
        )
