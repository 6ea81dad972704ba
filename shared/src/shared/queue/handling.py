"""One delivery from its start to its verdict: which outcome of the handler is what in the ledger."""

import asyncio
from collections.abc import Awaitable, Callable

from faststream.exceptions import SubscriberNotFound

from shared.events import UnknownTypeError
from shared.queue.breaker import Breaker
from shared.queue.deadline import Deadline
from shared.queue.declaration import Queue
from shared.queue.ledger import AlreadyEndedError, Delivery, Ledger, Verdict
from shared.queue.outcomes import ExpiredError, GiveUpError, PostponeError
from shared.queue.tasks import uncancel

STUBBORN = 5
"""How often one event may meet trouble in a ledger that is well again at once, before it is to blame."""


class HandlerExitedError(Exception):
    """A handler tried to end more than itself: a cancellation that nobody asked for, or `sys.exit`."""


class Handling:
    """Runs deliveries. Its answer is committed; trouble of the ledger it sits out."""

    def __init__(
        self,
        process: Callable[[Delivery], Awaitable[None]],
        ledger: Ledger,
        breaker: Breaker,
        queue: Queue,
        *,
        is_ending: Callable[[], bool],
    ) -> None:
        """`process` hands a delivery to its handler.

        `is_ending` tells whether a cancellation is the consumer's; any other is the handler's own doing.
        """
        self._process = process
        self._ledger = ledger
        self._breaker = breaker
        self._queue = queue
        self._is_ending = is_ending

    async def handle(self, delivery: Delivery) -> Verdict:
        """Never raises but for cancellation, or a bug of this package."""
        troubles = 0
        while True:
            try:
                return await self._attempt(delivery)
            except Exception as error:
                if not self._ledger.is_infrastructure(error):
                    raise
                troubles += 1
                await self._breaker.recover_from(error)
                if troubles >= STUBBORN:
                    verdict = await self._blame(delivery, error)
                    if verdict:
                        return verdict

    async def _blame(self, delivery: Delivery, error: Exception) -> Verdict | None:
        try:
            return await self._ledger.fail(delivery, error)
        except Exception as trouble:
            if not self._ledger.is_infrastructure(trouble):
                raise
            return None

    async def _attempt(self, delivery: Delivery) -> Verdict:
        delivery.started_at = delivery.now()
        envelope = delivery.envelope
        if envelope is None:
            return await self._ledger.bury(delivery, "undecodable", ValueError(delivery.problem))
        expires = envelope.expires_at
        if expires and expires <= delivery.fetched_at and not self._queue.is_outside(envelope.type):
            return await self._ledger.expire(delivery)
        if delivery.suspect:
            verdict = await self._ledger.begin_alone(delivery)
            if verdict:
                return verdict
        return await self._run(delivery, envelope.type)

    async def _run(self, delivery: Delivery, type_name: str) -> Verdict:
        runs = self._ledger.steps if self._queue.is_outside(type_name) else self._ledger.transaction
        try:
            async with runs(delivery):
                with Deadline(self._queue.time_limit(type_name), type_name):
                    await self._process(delivery)
        except Exception as error:  # noqa: BLE001 each kind has its meaning, in _settle
            return await self._settle(delivery, error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if self._is_ending() and isinstance(error, asyncio.CancelledError):
                raise
            uncancel()  # a handler that cancels its own task does not cancel the consumer's
            return await self._settle(delivery, HandlerExitedError(f"{type_name} raised {error!r}"))
        return Verdict("completed")

    async def _settle(self, delivery: Delivery, error: Exception) -> Verdict:
        """What each way of not completing means."""
        match error:
            case AlreadyEndedError():
                return error.verdict
            case PostponeError():
                return await self._ledger.postpone(delivery, error)
            case ExpiredError():
                return await self._ledger.expire(delivery)
            case GiveUpError():
                return await self._ledger.bury(delivery, error.reason, error)
            case SubscriberNotFound() | UnknownTypeError():
                unknown = ValueError("nothing here handles an event of this type")
                return await self._ledger.bury(delivery, "unknown_type", unknown)
            case _ if self._ledger.is_infrastructure(error):
                raise error
            case _:
                return await self._ledger.fail(delivery, error)
