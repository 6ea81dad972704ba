"""The one judge of every run: what was accepted, against what all databases and Redis say at the end."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from redis.exceptions import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError

from shared.queue.keys import GROUP, QueueKeys
from shared.store.database import async_url
from support.checker_effects import mails_are_wrong, money_is_wrong
from support.faults_client import History
from support.system import ODD_WORKER, QUEUES, System
from support.waiting import until

ENDED = {"completed", "dead", "cancelled", "expired"}
Row = Mapping[str, Any]


@dataclass
class Judgement:
    """What is wrong, a line each; nothing of it in a run that kept the promises."""

    lost: list[str] = field(default_factory=list[str])
    double: list[str] = field(default_factory=list[str])
    unexpected: list[str] = field(default_factory=list[str])
    events: int = 0
    """All that the journal holds."""
    lost_tries: int = 0
    """Tries that ended with their worker."""

    @property
    def wrong(self) -> bool:
        return bool(self.lost or self.double or self.unexpected)

    def __str__(self) -> str:
        parts = [
            f"{name} {len(lines)}: " + "; ".join(lines[:8])
            for name, lines in (("LOST", self.lost), ("DOUBLE", self.double), ("UNEXPECTED", self.unexpected))
            if lines
        ]
        return "\n".join(parts) or f"ok: {self.events} events, {self.lost_tries} lost tries"


class Checker:
    """Looks at a system from outside. Its databases may be read while it runs."""

    def __init__(self, system: System) -> None:
        self._system = system

    def settle(self, within: float) -> None:
        """Returns once nothing is under way. Raises AssertionError with what is after `within` seconds.

        It looks at one place after the other, and what moves on meanwhile may be seen in none: so nothing
        has to be found twice running.
        """
        said = ["nothing was seen"]

        def settled() -> bool:
            said[0] = "; ".join(self.unsettled()) or "; ".join(self.unsettled())
            return not said[0]

        try:
            until(settled, within=within)
        except AssertionError:
            raise AssertionError(f"not settled within {within} s: {said[0]}") from None

    def unsettled(self) -> list[str]:
        """What is under way in the queues that somebody works off."""
        try:
            return [line for look in self._looks() for line in look()]
        except (OperationalError, InterfaceError, RedisError, OSError) as error:
            return [f"{type(error).__name__}: {error}"[:200]]

    def judge(
        self,
        history: History,
        *,
        dead: Collection[str] = (),
        strangers: int = 0,
        stock: Mapping[str, int] | None = None,
    ) -> Judgement:
        """Judges a settled system.

        `dead` are the ids that have to be dead, every other event has to be completed. `strangers` is how
        many entries that are no events were put into the queues. `stock` is what was set as on hand.
        """
        return _Judge(self, self._system, history).judge(set(dead), strangers, stock)

    def rows(self, kind: str, query: str) -> list[Row]:
        """Asks the database of a kind of service."""
        url = async_url(self._system.databases[kind])
        engine = sa.create_engine(
            url.set(drivername=url.drivername.replace("+aiosqlite", "")), poolclass=sa.NullPool
        )
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(query)).mappings()]

    def workers(self) -> Iterable[tuple[str, str]]:
        """Kind and queue of each kind of worker that runs here."""
        return [(kind, queue) for kind, queue in QUEUES.items() if kind in self._system.databases]

    def stock_identities(self) -> list[str]:
        """What is wrong with the stock now: it never goes below zero, and its movements explain it."""
        query = """
            SELECT s.sku, s.on_hand, s.reserved, COALESCE(SUM(m.on_hand_change), 0) AS on_hand_moved,
                COALESCE(SUM(m.reserved_change), 0) AS reserved_moved
            FROM stock s LEFT JOIN movements m ON m.sku = s.sku GROUP BY s.sku, s.on_hand, s.reserved"""
        wrong: list[str] = []
        for row in self.rows("inventory-worker", query):
            if not 0 <= row["reserved"] <= row["on_hand"]:
                wrong.append(f"{row['sku']} is oversold: {row}")
            if (row["on_hand"], row["reserved"]) != (row["on_hand_moved"], row["reserved_moved"]):
                wrong.append(f"{row['sku']} is not the sum of its movements: {row}")
        return wrong

    def _looks(self) -> Iterable[Callable[[], Iterable[str]]]:
        yield self._open_journal
        for kind, _ in self.workers():
            yield lambda kind=kind: self._open_rows(kind)
        yield self.undrained

    def _open_journal(self) -> Iterable[str]:
        queues = ", ".join(f"'{queue}'" for queue in self._system.queues)
        columns, condition = "status, queue", f"open AND queue IN ({queues})"
        query = f"SELECT {columns}, COUNT(*) AS n FROM journal WHERE {condition} GROUP BY {columns}"
        return [f"{row['n']} {row['status']} in {row['queue']}" for row in self.rows("gateway", query)]

    def _open_rows(self, kind: str) -> Iterable[str]:
        for table, condition in (("outbox", "open"), ("inbox", "unreported"), ("attempt", "unreported")):
            (row,) = self.rows(kind, f"SELECT COUNT(*) AS n FROM {table} WHERE {condition}")
            if row["n"]:
                yield f"{row['n']} {condition} in {table} of {kind}"

    def undrained(self) -> Iterable[str]:
        """What Redis still holds of the queues that somebody works off."""
        with self._system.redis.client() as client:
            for queue in self._system.queues:
                keys = QueueKeys(queue)
                counts = {
                    "retries": client.zcard(keys.retries),
                    "retry bodies": client.hlen(keys.retry_bodies),
                }
                for lane in keys.lanes:
                    counts[lane] = client.xlen(lane)
                    if client.exists(lane) and client.xinfo_groups(lane):
                        counts[f"pending of {lane}"] = client.xpending(lane, GROUP)["pending"]
                yield from (f"{count} {name} of {queue} in Redis" for name, count in counts.items() if count)


class _Judge:
    """One judgement, over rows that were all read before."""

    def __init__(self, checker: Checker, system: System, history: History) -> None:
        self.found = Judgement()
        self._checker = checker
        self._system = system
        self._history = history
        self._journal = {row["id"]: row for row in checker.rows("gateway", "SELECT * FROM journal")}
        self._inboxes = {
            kind: {row["event_id"]: row for row in checker.rows(kind, "SELECT * FROM inbox")}
            for kind, _ in checker.workers()
        }
        self._caused = Counter((row["causation_id"], row["type"]) for row in self._journal.values())

    def judge(self, dead: set[str], strangers: int, stock: Mapping[str, int] | None) -> Judgement:
        found = self.found
        found.events = len(self._journal)
        found.lost += self._checker.unsettled()
        self._accepted()
        self._strangers(strangers)
        self._ends(dead)
        if "order-worker" in self._inboxes:
            self._orders()
        if "inventory-worker" in self._inboxes:
            self._inventory(stock)
        if self._system.shape.odd:
            self._effects()
        if self._system.shape.payments:
            self._outside(money_is_wrong(self._system, self._checker.rows))
        if self._system.shape.notifications:
            self._outside(mails_are_wrong(self._system, self._checker.rows, self._journal))
        for kind in self._inboxes:
            query = "SELECT COUNT(*) AS n FROM attempt WHERE effort = 'lost'"
            found.lost_tries += self._checker.rows(kind, query)[0]["n"]
        return found

    def _outside(self, wrong: Iterable[tuple[str, str]]) -> None:
        for kind, line in wrong:
            getattr(self.found, kind).append(line)

    def _accepted(self) -> None:
        for event_id, event in self._history.accepted.items():
            row = self._journal.get(event_id)
            if row is None:
                self.found.lost.append(f"{event.type} {event_id} was accepted and is in no journal")
            elif row["type"] != event.type or not row["filled"]:
                self.found.unexpected.append(f"{event_id} is {row['type']}, filled: {row['filled']}")

    def _strangers(self, expected: int) -> None:
        strangers = [
            row
            for row in self._journal.values()
            if row["id"] not in self._history.offered and row["causation_id"] not in self._journal
        ]
        if len(strangers) != expected:
            names = [f"{row['id']} {row['type']}" for row in strangers]
            self.found.unexpected.append(
                f"{len(strangers)} events that nobody published or caused: {names[:5]}"
            )
        wrong = [row["id"] for row in strangers if row["status"] != "dead"]
        self.found.unexpected += [f"{event_id} is no event and not dead" for event_id in wrong]

    def _ends(self, dead: set[str]) -> None:
        kinds = {queue: kind for kind, queue in self._checker.workers()}
        for row in self._journal.values():
            name = f"{row['type']} {row['id']} ({row['correlation_id']})"
            if row["queue"] not in kinds:
                if not row["open"]:
                    self.found.unexpected.append(f"{name} ended, and nobody works off its queue")
                continue
            if row["open"] or row["status"] not in ENDED:
                self.found.lost.append(f"{name} has not ended: {row['status']}")
                continue
            must_die = row["id"] in dead or self._is_strange(row) or self._came_too_late(row)
            wanted = "dead" if must_die else "completed"
            if row["status"] != wanted:
                self.found.unexpected.append(
                    f"{name} is {row['status']}, not {wanted}: {row['reason']} {row['error']}"
                )
            inbox = self._inboxes[kinds[row["queue"]]].get(row["id"])
            if inbox is None or inbox["outcome"] != row["status"]:
                outcome = inbox and inbox["outcome"]
                self.found.unexpected.append(f"{name} is {row['status']}, and {outcome} in the inbox")
        for kind, inbox in self._inboxes.items():
            unknown = [event_id for event_id in inbox if event_id not in self._journal]
            self.found.lost += [
                f"the journal knows nothing of {event_id}, which {kind} ended" for event_id in unknown
            ]

    @staticmethod
    def _came_too_late(row: Row) -> bool:
        """A payment for an order that was cancelled meanwhile is dead, and no money was taken."""
        return row["type"] == "PAYMENT_AUTHORIZED" and row["reason"] == "order_cancelled"

    def _is_strange(self, row: Row) -> bool:
        return row["id"] not in self._history.offered and row["causation_id"] not in self._journal

    def _count(self, row: Row, type_name: str, expected: int, why: str) -> None:
        """Judges how many events of a type an event caused."""
        count = self._caused[row["id"], type_name]
        if count != expected:
            where = self.found.lost if count < expected else self.found.double
            where.append(
                f"{why}: {count} {type_name}, not {expected}, of {row['id']} ({row['correlation_id']})"
            )

    def _completed(self, type_name: str) -> list[Row]:
        return [
            row for row in self._journal.values() if (row["type"], row["status"]) == (type_name, "completed")
        ]

    def _orders(self) -> None:
        orders = {row["order_id"]: row for row in self._checker.rows("order-worker", "SELECT * FROM orders")}
        placed: set[str] = set()
        for row in self._completed("ORDER_CREATED"):
            order_id = row["subject"].removeprefix("order/")
            if order_id not in orders:
                self.found.lost.append(f"order {order_id} is not stored")
            if order_id not in placed:  # one that is placed again, under another id, causes nothing
                placed.add(order_id)
        for order_id, order in orders.items():
            if order_id not in placed:
                self.found.unexpected.append(f"nobody placed order {order_id}")
            self._per_order(order_id, "INVENTORY_RESERVED", 1)
            self._per_order(order_id, "INVENTORY_RELEASED", int(order["status"] == "cancelled"))
            self._notified(order)

    def _notified(self, order: Row) -> None:
        """Once of each thing that happened to it; a receipt only if it was paid before it was cancelled."""
        order_id, status = order["order_id"], order["status"]
        told = Counter(
            json.loads(row["data"])["template"]
            for row in self._journal.values()
            if (row["type"], row["correlation_id"]) == ("send-notification", order_id)
        )
        del told["low-stock"]
        is_cancelled, is_paid = status == "cancelled", order["payment_id"] is not None
        wanted = Counter({"order-confirmation": 1, "order-cancelled": int(is_cancelled)})
        wanted["order-shipped"] = int(order["tracking_number"] is not None)
        wanted["payment-receipt"] = (
            min(told["payment-receipt"], 1) if is_cancelled and is_paid else int(is_paid)
        )
        wanted["refund"] = int(is_cancelled and is_paid and "payment-worker" in self._inboxes)
        for template, count in ((wanted - told) + (told - wanted)).items():
            where = self.found.lost if wanted[template] > told[template] else self.found.double
            where.append(f"order {order_id} is {status}, {told[template]} {template}, off by {count}")

    def _per_order(self, order_id: str, type_name: str, expected: int) -> None:
        count = sum(
            (row["type"], row["subject"]) == (type_name, f"order/{order_id}")
            for row in self._journal.values()
        )
        if count != expected:
            where = self.found.lost if count < expected else self.found.double
            where.append(f"order {order_id} caused {count} {type_name}, not {expected}")

    def _inventory(self, stock: Mapping[str, int] | None) -> None:
        checker, found = self._checker, self.found
        reservations = {
            row["order_id"]: row["state"]
            for row in checker.rows("inventory-worker", "SELECT * FROM reservations")
        }
        for row in self._completed("INVENTORY_RESERVED"):
            state = reservations.get(row["subject"].removeprefix("order/"))
            if state is None:
                found.lost.append(f"nothing is reserved for {row['subject']}")
        refused = sum(state == "refused" for state in reservations.values())
        cancelled = sum(
            row["type"] == "ORDER_CANCELLED" and "out_of_stock" in row["data"]
            for row in self._journal.values()
        )
        if refused != cancelled:
            found.unexpected.append(
                f"{refused} reservations were refused, {cancelled} orders cancelled for it"
            )
        for row in self._completed("LOW_STOCK_ALERT"):
            self._count(row, "send-notification", 1, "alert")
        found.unexpected += checker.stock_identities()
        self._held(reservations)
        for sku, on_hand in (stock or {}).items():
            (row,) = checker.rows("inventory-worker", f"SELECT on_hand FROM stock WHERE sku = '{sku}'")
            if row["on_hand"] != on_hand:
                found.unexpected.append(f"{sku}: {row['on_hand']} on hand, not {on_hand}")

    def _held(self, reservations: Mapping[str, str]) -> None:
        """What is reserved of each SKU is what the reservations that stand hold."""
        query = "SELECT order_id, kind, COUNT(*) AS n FROM movements WHERE order_id IS NOT NULL GROUP BY 1, 2"
        moved = {(row["order_id"], row["kind"]) for row in self._checker.rows("inventory-worker", query)}
        for order_id, state in reservations.items():
            took, gave = (order_id, "reserved") in moved, (order_id, "released") in moved
            right = {"reserved": (True, False), "refused": (False, False)}.get(state)
            if (right and (took, gave) != right) or took < gave or (state == "released" and took != gave):
                self.found.unexpected.append(f"{order_id} is {state}; reserved: {took}, released: {gave}")

    def _effects(self) -> None:
        query = "SELECT event_id, run, COUNT(*) AS n FROM effect GROUP BY 1, 2"
        effects = {row["event_id"]: row["n"] for row in self._checker.rows(ODD_WORKER, query)}
        for event_id, outcome in ((key, row["outcome"]) for key, row in self._inboxes[ODD_WORKER].items()):
            count, expected = effects.pop(event_id, 0), int(outcome == "completed")
            if count != expected:
                where = self.found.lost if count < expected else self.found.double
                where.append(f"{event_id} is {outcome}, with {count} effects")
        self.found.double += [
            f"{event_id} has {n} effects and no inbox row" for event_id, n in effects.items()
        ]
        for row in self._completed("SEND_EMAIL"):
            told = json.loads(row["data"])["text"]
            if told.startswith("cause "):
                self._count(row, "send-notification", int(told.removeprefix("cause ")), told)
