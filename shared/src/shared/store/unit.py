"""What a handler works with: one run of one event, in one transaction."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Annotated

from faststream import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from shared.events import Envelope, Event, Priority, new_id
from shared.events.trace import present_traceparent
from shared.store.tables import Outbox, sendable_columns, utc_now


class Unit:
    """The transaction of one run. The runtime commits it; a handler never does."""

    def __init__(
        self,
        session: AsyncSession,
        envelope: Envelope,
        source: str,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`clock` dates what is caused. A delivery's own is that of Redis: no effect precedes its cause."""
        self.session = session
        self.envelope = envelope
        """The event that is being handled."""
        self.caused: list[Outbox] = []
        self._source = source
        self._clock = clock

    def publish(
        self,
        event: Event,
        *,
        subject: str | None = None,
        priority: Priority = Priority.NORMAL,
        id: str | None = None,  # noqa: A002 the envelope's word
    ) -> None:
        """Lets an event be caused by this one: it leaves if, and only if, the transaction commits."""
        caused = Envelope(
            id=id or new_id(),
            type=event.type,
            source=self._source,
            time=self._clock(),
            correlation_id=self.envelope.correlation_id,
            data=event.to_json(),
            subject=subject or event.subject(),
            causation_id=self.envelope.id,
            priority=priority,
            traceparent=present_traceparent() or self.envelope.traceparent,
        )
        row = Outbox(**sendable_columns(caused, event.queue))
        self.caused.append(row)


_current: ContextVar[Unit] = ContextVar("current_unit")


def current_unit() -> Unit:
    """The unit of the delivery that this task handles. Raises `LookupError` outside of a handler."""
    return _current.get()


@contextmanager
def working(unit: Unit) -> Generator[Unit]:
    """Makes a unit the current one, for the runtime and for tests of handlers."""
    token = _current.set(unit)
    try:
        yield unit
    finally:
        _current.reset(token)


CurrentUnit = Annotated[Unit, Depends(current_unit)]
"""A parameter of a handler, or of what a handler depends on."""
