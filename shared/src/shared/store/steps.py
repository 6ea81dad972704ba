"""What a handler works with whose effect lies outside of the database: a charge, a mail.

No transaction is held during a call. The handler commits what it is about to do (`step`), makes the
call, and commits with the result that the run has ended (`last`). A crash in between leaves what was
committed; the next taker finds it, and asks or repeats with the same key.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Annotated

from faststream import Depends

from shared.events import Envelope
from shared.queue import AlreadyEndedError, Delivery
from shared.store.unit import Unit

Transaction = Callable[[Delivery], AbstractAsyncContextManager[Unit]]


class Steps:
    """The transactions of one run: as many as it needs, and a last one."""

    def __init__(self, delivery: Delivery, *, step: Transaction, last: Transaction) -> None:
        assert delivery.envelope is not None  # noqa: S101 bytes that are no event have no handler
        self.envelope: Envelope = delivery.envelope
        """The event that is being handled."""
        self.owner = f"{delivery.worker}/{delivery.key}"
        """Names this delivery where it claims something: the next taker of the event has another name."""
        self.ended = False
        self._delivery = delivery
        self._step, self._last = step, last

    def now(self) -> datetime:
        """The time by the clock of Redis, about which all workers agree."""
        return self._delivery.now()

    @property
    def is_expired(self) -> bool:
        """Whether its time has passed. A handler that has begun nothing then raises `ExpiredError`."""
        expires = self.envelope.expires_at
        return expires is not None and expires <= self.now()

    def step(self) -> AbstractAsyncContextManager[Unit]:
        """A transaction, committed at the end of the block; what it publishes leaves with that commit."""
        return self._step(self._delivery)

    @asynccontextmanager
    async def last(self) -> AsyncGenerator[Unit]:
        """The transaction that ends the run as completed, with what the block does.

        Where a copy has ended the run, perhaps as dead or expired, the block is committed all the same,
        since what it says has happened outside: it asks what is known before it causes anything. Then
        `AlreadyEndedError` is raised; let that pass.
        """
        ended = None
        async with AsyncExitStack() as transaction:
            try:
                unit = await transaction.enter_async_context(self._last(self._delivery))
            except AlreadyEndedError as error:
                ended = error
                unit = await transaction.enter_async_context(self.step())
            yield unit
        if ended:
            raise ended
        self.ended = True


_current: ContextVar[Steps] = ContextVar("current_steps")


def current_steps() -> Steps:
    """The steps of the delivery that this task handles. Raises `LookupError` outside of such a handler."""
    return _current.get()


@contextmanager
def stepping(steps: Steps) -> Generator[Steps]:
    """Makes steps the current ones, for the runtime and for tests of handlers."""
    token = _current.set(steps)
    try:
        yield steps
    finally:
        _current.reset(token)


CurrentSteps = Annotated[Steps, Depends(current_steps)]
"""A parameter of a handler declared `outside`, or of what such a handler depends on."""
