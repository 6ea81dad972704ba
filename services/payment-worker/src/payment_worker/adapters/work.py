"""The transactions of a run, with the tables in them."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

from payment_worker.adapters.claiming import Claimant
from payment_worker.adapters.payments import SqlPayments
from payment_worker.adapters.refunds import SqlRefunds
from shared.events.base import Event
from shared.store.steps import Steps
from shared.store.unit import Unit


class SqlBooks:
    """Implements the port `Books`."""

    def __init__(self, unit: Unit, claimant: Claimant) -> None:
        self._unit = unit
        self.payments = SqlPayments(unit.session, claimant)
        self.refunds = SqlRefunds(unit.session, claimant)

    def publish(self, event: Event) -> None:
        self._unit.publish(event)


class SqlWork:
    """Implements the port `Work`; a claim holds for `claim_for`."""

    def __init__(self, steps: Steps, claim_for: timedelta) -> None:
        self._steps = steps
        self._claim_for = claim_for

    @property
    def is_expired(self) -> bool:
        return self._steps.is_expired

    def step(self) -> AbstractAsyncContextManager[SqlBooks]:
        return self._in(self._steps.step())

    def last(self) -> AbstractAsyncContextManager[SqlBooks]:
        return self._in(self._steps.last())

    @asynccontextmanager
    async def _in(self, transaction: AbstractAsyncContextManager[Unit]) -> AsyncGenerator[SqlBooks]:
        async with transaction as unit:
            yield SqlBooks(unit, Claimant(self._steps.owner, self._steps.now(), self._claim_for))
