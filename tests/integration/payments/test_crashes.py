"""A worker that dies at any point of a payment or a refund: the money moves once, and is told once."""

import asyncio
from datetime import UTC, datetime

import pytest

from adapters.sandbox import Sandbox
from integration.payments.shop import AUTHORIZED, CLAIM_FOR, REFUNDED, Crash, Shop
from payment_worker.domain.order import Order
from payment_worker.domain.payment import Capture
from payment_worker.domain.refund import Refund
from payment_worker.ports import Provider
from shared.events import Event

ENDS: list[type[BaseException]] = [Crash, asyncio.CancelledError]


class DyingProvider:
    """Its next call ends the process: before the provider hears of it, or when it has answered."""

    def __init__(self, provider: Provider, end: type[BaseException], *, after: bool) -> None:
        self._provider = provider
        self._end: type[BaseException] | None = end
        self._after = after

    async def capture(self, key: str, capture: Capture) -> bool:
        self._die(now=not self._after)
        answer = await self._provider.capture(key, capture)
        self._die(now=self._after)
        return answer

    async def refund(self, refund: Refund) -> bool:
        self._die(now=not self._after)
        answer = await self._provider.refund(refund)
        self._die(now=self._after)
        return answer

    def _die(self, *, now: bool) -> None:
        end = self._end
        if end and now:
            self._end = None
            raise end


async def take_over(shop: Shop, event: Event) -> list[str]:
    """The verdicts of another worker that takes the event: at once, and when the claim has ended."""
    at_once = await shop.deliver(event, worker="worker-2", deliveries=1)
    shop.ahead += 2 * CLAIM_FOR
    return [at_once, await shop.deliver(event, worker="worker-2", deliveries=2)]


async def deliver_again_and_again(shop: Shop, event: Event, deliveries: int) -> None:
    """Until it is not postponed any more."""
    while (await shop.deliver(event, deliveries=deliveries)).startswith("postponed"):
        pass


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
async def test_a_capture_that_was_cut_off_is_taken_up_with_the_same_key(
    shop: Shop, sandbox: Sandbox, end: type[BaseException], after: bool
) -> None:
    shop.provider = DyingProvider(shop.provider, end, after=after)
    with pytest.raises(end):
        await shop.deliver(AUTHORIZED)
    assert await shop.status() == "capturing"

    assert await take_over(shop, AUTHORIZED) == ["postponed claimed", "completed"]

    assert sandbox.moved() == [("capture", "payment-1", 3700)]
    assert await shop.status() == "captured"
    assert await shop.caused() == ["ORDER_PAID"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
async def test_a_refund_that_was_cut_off_is_taken_up_with_the_same_key(
    shop: Shop, sandbox: Sandbox, end: type[BaseException], after: bool
) -> None:
    await shop.deliver(AUTHORIZED, "paid")
    shop.provider = DyingProvider(shop.provider, end, after=after)
    with pytest.raises(end):
        await shop.deliver(REFUNDED)
    assert await shop.refunds() == [("refund-1", 3700, "refunding")]

    assert await take_over(shop, REFUNDED) == ["postponed claimed", "completed"]

    assert sandbox.moved() == [("capture", "payment-1", 3700), ("refund", "payment-1", 3700)]
    assert await shop.refunds() == [("refund-1", 3700, "refunded")]
    assert await shop.caused() == ["ORDER_PAID", "refund"]


@pytest.mark.parametrize("method", ["tok_ok", "tok_timeout_after_charge"])
async def test_a_crash_after_a_call_that_nobody_heard_of_and_another_after_the_answer(
    shop: Shop, sandbox: Sandbox, method: str
) -> None:
    event = AUTHORIZED.model_copy(update={"method": method})
    provider = shop.provider
    for deliveries, after in enumerate((False, True)):
        shop.provider = DyingProvider(provider, Crash, after=after)
        with pytest.raises(Crash):
            await deliver_again_and_again(shop, event, deliveries)
        shop.ahead += 2 * CLAIM_FOR
    shop.provider = provider

    assert await shop.deliver(event, worker="worker-2", deliveries=2) == "completed"
    assert sandbox.moved() == [("capture", "payment-1", 3700)]


@pytest.mark.parametrize("event", [AUTHORIZED, REFUNDED], ids=lambda event: event.type)
async def test_an_event_that_kills_its_workers_is_uncertain_if_the_money_may_have_moved(
    shop: Shop, event: Event
) -> None:
    await shop.deliver(AUTHORIZED, "paid") if event is REFUNDED else None
    provider = shop.provider
    for deliveries in (1, 2, 3):
        shop.provider = DyingProvider(provider, Crash, after=True)
        with pytest.raises(Crash):
            await shop.deliver(event, deliveries=deliveries)
        shop.ahead += 2 * CLAIM_FOR

    assert await shop.deliver(event, deliveries=4) == "dead lost"

    assert await shop.is_uncertain()


async def test_an_event_that_kills_its_workers_before_any_money_moves_is_certain(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(_: str) -> Order:
        raise Crash

    monkeypatch.setattr(shop.orders, "find", die)
    for deliveries in (1, 2, 3):
        with pytest.raises(Crash):
            await shop.deliver(AUTHORIZED, deliveries=deliveries)

    assert await shop.deliver(AUTHORIZED, deliveries=4) == "dead lost"

    assert await shop.is_uncertain() is False


async def test_money_that_moves_unseen_after_a_copy_has_ended_the_run_makes_its_event_uncertain(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, find = AUTHORIZED.model_copy(update={"method": "tok_error"}), shop.orders.find

    async def be_overtaken(order_id: str) -> Order:
        await shop.bury(event)
        return await find(order_id)

    monkeypatch.setattr(shop.orders, "find", be_overtaken)

    assert await shop.deliver(event) == "repeated"

    assert await shop.status() == "unknown"
    assert await shop.is_uncertain()


@pytest.mark.parametrize("event", [AUTHORIZED, REFUNDED], ids=lambda event: event.type)
async def test_who_only_uses_the_id_of_a_payment_in_doubt_has_moved_nothing(shop: Shop, event: Event) -> None:
    await shop.deliver(AUTHORIZED, "paid") if event is REFUNDED else None
    shop.provider = DyingProvider(shop.provider, Crash, after=True)
    with pytest.raises(Crash):
        await shop.deliver(event)
    other = {"amount": 1} if event is AUTHORIZED else {"amount": 1, "currency": "EUR"}

    verdict = await shop.deliver(event.model_copy(update=other), "event-2")

    assert verdict in {"dead payment_conflict", "dead refund_conflict"}
    assert await shop.is_uncertain("event-2") is False


async def test_an_event_that_ended_before_its_ack_is_only_acknowledged(shop: Shop, sandbox: Sandbox) -> None:
    for event, event_id in ((AUTHORIZED, "paid"), (REFUNDED, "back")):
        assert await shop.deliver(event, event_id) == "completed"
        assert await shop.deliver(event, event_id, worker="worker-2", deliveries=1) == "repeated"

    assert sandbox.moved() == [("capture", "payment-1", 3700), ("refund", "payment-1", 3700)]
    assert await shop.caused() == ["ORDER_PAID", "refund"]


async def test_a_worker_that_was_frozen_during_its_call_and_one_that_took_over_cause_one_payment(
    shop: Shop, sandbox: Sandbox
) -> None:
    thawed = asyncio.Event()
    slow = FrozenProvider(shop.provider, thawed)
    zombie = Shop(shop.database, slow)
    frozen = asyncio.create_task(zombie.deliver(AUTHORIZED))
    await slow.reached.wait()

    assert await take_over(shop, AUTHORIZED) == ["postponed claimed", "completed"]
    thawed.set()

    assert await frozen == "repeated"
    assert sandbox.moved() == [("capture", "payment-1", 3700)]
    assert await shop.caused() == ["ORDER_PAID"]


@pytest.mark.parametrize("event", [AUTHORIZED, REFUNDED], ids=lambda event: event.type)
async def test_money_that_moved_is_told_though_a_copy_ended_the_run_meanwhile(
    shop: Shop, sandbox: Sandbox, event: Event
) -> None:
    if event is REFUNDED:
        await shop.deliver(AUTHORIZED, "paid")
    thawed = asyncio.Event()
    slow = FrozenProvider(shop.provider, thawed)
    frozen = asyncio.create_task(Shop(shop.database, slow).deliver(event))
    await slow.reached.wait()

    await shop.bury(event)
    thawed.set()

    assert await frozen == "repeated"
    refund = event is REFUNDED
    assert await shop.status() == ("refunded" if refund else "captured")
    assert await shop.caused() == ["ORDER_PAID", "refund"][: 1 + refund]
    assert len(sandbox.moved()) == 1 + refund


async def test_a_capture_that_was_cut_off_is_brought_to_its_end_though_its_event_expires(
    shop: Shop, sandbox: Sandbox
) -> None:
    expires_at = datetime.now(UTC) + CLAIM_FOR
    shop.provider = DyingProvider(shop.provider, Crash, after=True)
    with pytest.raises(Crash):
        await shop.deliver(AUTHORIZED, expires_at=expires_at)
    shop.ahead += 2 * CLAIM_FOR

    verdict = await shop.deliver(AUTHORIZED, worker="worker-2", deliveries=1, expires_at=expires_at)

    assert verdict == "completed"
    assert await shop.status() == "captured"
    assert await shop.caused() == ["ORDER_PAID"]


class FrozenProvider:
    """Its answers arrive when it has thawed."""

    def __init__(self, provider: Provider, thawed: asyncio.Event) -> None:
        self._provider = provider
        self._thawed = thawed
        self.reached = asyncio.Event()

    async def capture(self, key: str, capture: Capture) -> bool:
        answer = await self._provider.capture(key, capture)
        self.reached.set()
        await self._thawed.wait()
        return answer

    async def refund(self, refund: Refund) -> bool:
        answer = await self._provider.refund(refund)
        self.reached.set()
        await self._thawed.wait()
        return answer
