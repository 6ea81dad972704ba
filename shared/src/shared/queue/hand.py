"""What a consumer has in hand: each delivery from its fetch until Redis has heard how it was settled."""

from collections.abc import Sequence
from datetime import timedelta

from shared.queue.keys import GROUP, QueueKeys
from shared.queue.ledger import Delivery, Verdict
from shared.queue.scripts import Call


class Hand:
    """Knows what is in hand, and how Redis is told of it; tells nobody itself."""

    def __init__(self, keys: QueueKeys, consumer: str) -> None:
        self.unsettled = 0
        """How many wait to be started, or run."""
        self.holds_suspect = False
        self._keys = keys
        self._consumer = consumer
        self._held: dict[tuple[int, str], Delivery] = {}
        self._settled: dict[tuple[int, str], tuple[Delivery, Verdict]] = {}  # what Redis has not heard yet

    def __len__(self) -> int:
        return len(self._held)

    def take(self, delivery: Delivery) -> bool:
        """False where it is in hand already."""
        if _place(delivery) in self._held:
            return False
        self._held[_place(delivery)] = delivery
        self.holds_suspect = self.holds_suspect or delivery.suspect
        self.unsettled += 1
        return True

    def settle(self, delivery: Delivery, verdict: Verdict) -> None:
        self._settled[_place(delivery)] = (delivery, verdict)
        self.unsettled -= 1

    def put_down(self) -> None:
        """One is not started, or not ended, by anybody here; it stays in hand until all is handed back."""
        self.unsettled -= 1

    def forget(self, settled: Sequence[Delivery]) -> None:
        """Redis has heard of these."""
        for delivery in settled:
            self._held.pop(_place(delivery), None)
            self._settled.pop(_place(delivery), None)
            if delivery.suspect:
                self.holds_suspect = False

    def settlements(self) -> list[tuple[Call, list[Delivery]]]:
        """One acknowledgement a lane, a move for each that is tried again later; with what each settles."""
        calls: list[tuple[Call, list[Delivery]]] = []
        ended: dict[int, list[Delivery]] = {}
        for delivery, verdict in self._settled.values():
            if verdict.retry_in is None:
                ended.setdefault(delivery.lane, []).append(delivery)
            else:
                calls.append((self._later(delivery, verdict.retry_in), [delivery]))
        for lane, deliveries in ended.items():
            ids = [delivery.entry_id for delivery in deliveries]
            calls.append((Call("ack", (self._keys.lanes[lane - 1],), (GROUP, *ids)), deliveries))
        return calls

    def renewals(self) -> list[Call]:
        """The leases of all that is held."""
        calls: list[Call] = []
        for number, lane in enumerate(self._keys.lanes, 1):
            ids = [entry_id for held_in, entry_id in self._held if held_in == number]
            if ids:
                calls.append(Call("renew", (lane,), (GROUP, self._consumer, *ids)))
        return calls

    def hand_backs(self, idle: timedelta) -> list[Call]:
        """All that this consumer has in Redis, heard of or not, is anybody's at once: idle for so long."""
        milliseconds = int(idle.total_seconds() * 1000)
        return [
            Call("hand_back", (lane,), (GROUP, self._consumer, milliseconds)) for lane in self._keys.lanes
        ]

    def _later(self, delivery: Delivery, delay: timedelta) -> Call:
        # Copies collapse into one; another body under the same id does not.
        job = f"{delivery.event_id}:{delivery.run}:{delivery.digest}"
        milliseconds = max(1, int(delay.total_seconds() * 1000))
        args = (GROUP, self._consumer, delivery.entry_id, delivery.lane, job, milliseconds)
        lane = self._keys.lanes[delivery.lane - 1]
        return Call("later", (lane, self._keys.retries, self._keys.retry_bodies), args)


def _place(delivery: Delivery) -> tuple[int, str]:
    return delivery.lane, delivery.entry_id
