"""An outbox that remembers."""

from shared.events.base import Event


class FakeOutbox:
    def __init__(self) -> None:
        self.caused: list[Event] = []

    def publish(self, event: Event) -> None:
        self.caused.append(event)

    def take(self) -> list[Event]:
        """What was caused since the last call."""
        caused, self.caused = self.caused, []
        return caused
