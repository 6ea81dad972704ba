"""What a consumer does while its ledger is in trouble."""

import asyncio

import pytest

from shared.queue import MemoryLedger
from shared.queue.breaker import Breaker
from support import eventually


class Trouble(MemoryLedger):
    def __init__(self, *, times: int, error: Exception | None = None) -> None:
        super().__init__()
        self.pings = 0
        self._times = times
        self._error = error or ConnectionError("away")

    async def ping(self) -> None:
        self.pings += 1
        if self.pings <= self._times:
            raise self._error


async def test_one_asks_and_the_others_wait() -> None:
    ledger = Trouble(times=1)
    breaker = Breaker(ledger)

    waiting = [asyncio.create_task(breaker.recover_from(ConnectionError("away"))) for _ in range(5)]
    await eventually(lambda: breaker.trouble == "ConnectionError: away")
    await asyncio.wait_for(asyncio.gather(*waiting), 5)

    assert ledger.pings == 2
    assert breaker.trouble is None


async def test_a_late_answer_counts_as_none() -> None:
    breaker = Breaker(Trouble(times=1, error=TimeoutError()))

    await asyncio.wait_for(breaker.recover_from(ConnectionError()), 5)

    assert breaker.trouble is None


async def test_it_opens_for_the_others_when_the_one_that_asks_is_cancelled() -> None:
    breaker = Breaker(Trouble(times=1_000))
    asking = asyncio.create_task(breaker.recover_from(ConnectionError()))
    await asyncio.sleep(0)
    other = asyncio.create_task(breaker.recover_from(ConnectionError()))
    await asyncio.sleep(0)

    asking.cancel()

    await asyncio.wait_for(other, 1)
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_an_error_without_words_is_named() -> None:
    breaker = Breaker(Trouble(times=1_000))
    asking = asyncio.create_task(breaker.recover_from(ConnectionError()))

    await eventually(lambda: breaker.trouble is not None and breaker.trouble.startswith("ConnectionError"))

    asking.cancel()
    await asyncio.wait([asking])
