"""What a service listens to: one queue, and a handler for each type of event on it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from shared.events import Event

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[None]])

TIME_LIMIT_SECONDS = 60.0
DEFAULT_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Registration:
    """A handler as it was declared."""

    event: type[Event]
    handler: Callable[..., Awaitable[None]]
    attempts: int
    time_limit: float | None
    outside: bool


class Queue:
    """The handlers of one queue, declared without a broker.

    A handler is what FastStream calls one: its annotated parameters are the event and what it
    depends on. It returns when its work is done, or raises one of the named outcomes.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.registrations: dict[str, Registration] = {}

    def on(
        self,
        event: type[Event],
        *,
        attempts: int | None = None,
        time_limit: float | None = TIME_LIMIT_SECONDS,
        outside: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Declares the handler of a type.

        `attempts` (default: the contract's) is how often it may fail before the event is dead.
        `time_limit`, in seconds, ends a try that takes longer, as a failed attempt; None lets it run
        for ever. `outside` says that its effect lies outside of the database (a charge, a mail): no
        transaction is open while it runs, and it makes those that it needs.

        Raises `ValueError` for a type of another queue, or a second handler.
        """
        if event.queue != self.name:
            raise ValueError(f"{event.type} belongs to the queue {event.queue}, not to {self.name}")
        if event.type in self.registrations:
            raise ValueError(f"{event.type} has a handler already")

        def declare(handler: Handler) -> Handler:
            limit = event.max_attempts if attempts is None else attempts
            self.registrations[event.type] = Registration(event, handler, limit, time_limit, outside)
            return handler

        return declare

    def attempts(self, type_name: str) -> int:
        registration = self.registrations.get(type_name)
        return registration.attempts if registration else DEFAULT_ATTEMPTS

    def time_limit(self, type_name: str) -> float | None:
        registration = self.registrations.get(type_name)
        return registration.time_limit if registration else TIME_LIMIT_SECONDS

    def is_outside(self, type_name: str) -> bool:
        registration = self.registrations.get(type_name)
        return registration.outside if registration else False
