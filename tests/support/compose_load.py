"""Orders that come in and are paid while something happens, and what must have become of them."""

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

import httpx

from shared.events import PaymentAuthorized
from support.compose import Project
from support.faults_client import Client, order
from support.waiting import until

OPEN = ("delayed", "waiting", "active", "retrying")
SETTLED_WITHIN = 180.0
MAILS_WITHIN = 30.0
STOCK = 100_000


@dataclass
class Load:
    """Two threads that publish orders, each with its payment, until they are told to stop."""

    client: Client
    name: str
    """Of the SKU, and the beginning of every order's id."""
    orders: list[str] = field(default_factory=list[str])
    """Those that were accepted with their payments."""
    errors: list[BaseException] = field(default_factory=list[BaseException])
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self, thread: int) -> None:
        number = 0
        try:
            while not self._stopped.wait(0.2):
                order_id = f"{self.name}-{thread}-{number}"
                self.client.publish(order(order_id, **{self.name: 1}))
                self.client.publish(
                    PaymentAuthorized(
                        payment_id=f"pay-{order_id}",
                        order_id=order_id,
                        amount=500,
                        currency="EUR",
                        method="tok_ok",
                    )
                )
                self.orders.append(order_id)
                number += 1
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self.errors.append(error)

    def stop(self) -> None:
        self._stopped.set()


@contextmanager
def orders_coming_in(client: Client, name: str) -> Generator[Load]:
    """While the block runs. Raises what a publisher raised; some orders have come in before and after."""
    client.set_stock(name, STOCK)
    load = Load(client, name)
    threads = [threading.Thread(target=load.run, args=(number,), daemon=True) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(load.orders) >= 20 or load.errors, within=SETTLED_WITHIN)
        yield load
        seen = len(load.orders)
        until(lambda: len(load.orders) >= seen + 20 or load.errors, within=SETTLED_WITHIN)
    finally:
        load.stop()
        for thread in threads:
            thread.join()
    if load.errors:
        raise load.errors[0]


def settle(client: Client) -> None:
    """Returns once no event is open."""

    def none_is_open() -> bool:
        try:
            lists = [client.get("/v1/events", status=status, limit=1)["items"] for status in OPEN]
        except httpx.HTTPError:
            return False
        return not any(lists)

    until(none_is_open, within=SETTLED_WITHIN)


def judge(project: Project, client: Client, load: Load) -> None:
    """Every accepted event has ended, and each order took its effects, each once. Raises AssertionError."""
    settle(client)
    assert client.history.wrong == []
    ended = Counter(client.event(event_id)["status"] for event_id in client.history.accepted)
    assert ended == {"completed": len(client.history.accepted)}
    orders = Counter(load.orders)
    paid = [order_id for order_id in orders if client.order(order_id)["status"] != "paid"]
    assert not paid, f"{len(paid)} of {len(orders)} are not paid, such as {paid[:3]}"
    assert captures(project, load.name) == orders
    assert client.stock(load.name)["reserved"] == len(orders)
    _wait_for_mails(project, load, each=2)  # ordered, paid
    print(f"{load.name}: 0 lost, 0 doubled of {len(client.history.accepted)} events, {len(orders)} orders")  # noqa: T201 - for docs/deploy.md


def _wait_for_mails(project: Project, load: Load, *, each: int) -> None:
    """What a worker caused last may get to the gateway after it has answered that nothing is open."""

    def wrong() -> dict[str, int]:
        got = mails(project, load.name)
        return {order_id: got[order_id] for order_id in {*got, *load.orders} if got[order_id] != each}

    deadline = monotonic() + MAILS_WITHIN
    while wrong() and monotonic() < deadline:
        sleep(0.5)
    assert wrong() == {}


def captures(project: Project, name: str) -> Counter[str]:
    """How often money was taken for each order, by the provider's own ledger."""
    entries = project.ask("http://payment-sandbox:8010/v1/ledger")["entries"]
    return Counter(
        entry["order_id"]
        for entry in entries
        if entry["kind"] == "capture" and entry["order_id"].startswith(f"{name}-")
    )


def mails(project: Project, name: str) -> Counter[str]:
    """How many mails the customer of each order got; one that came again under its Message-ID is one."""
    listed: list[dict[str, Any]] = httpx.get(
        f"http://127.0.0.1:{project.mail_port}/api/v1/messages", params={"limit": 100_000}, trust_env=False
    ).json()["messages"]
    distinct = {
        (mail["Subject"], mail.get("MessageID") or mail["Headers"]["Message-ID"][0]) for mail in listed
    }
    words = (word.strip(".,:#") for subject, _ in distinct for word in subject.split())
    return Counter(word for word in words if word == name or word.startswith(f"{name}-"))
