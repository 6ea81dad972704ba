"""Taking the money for an order, once."""

from collections.abc import Callable

from payment_worker.domain.payment import (
    AlreadyPaidError,
    Capture,
    OrderIsCancelledError,
    Payment,
    PaymentMissingError,
    PaymentStatus,
)
from payment_worker.ports import Books, Orders, Provider, Work
from payment_worker.service.outcomes import calling, claimed, refusals
from shared.events.orders import OrderCancelled, OrderPaid
from shared.queue.outcomes import ExpiredError


class CaptureService:
    """The intent to take the money is committed before the call, the result with what it causes after it.

    Wherever that is cut off, the next run finds the intent and asks again with the same key. A payment
    whose end is known causes nothing again. A refusal raises the outcome that it means for the event.
    """

    def __init__(self, work: Work, orders: Orders, provider: Provider) -> None:
        self._work = work
        self._orders = orders
        self._provider = provider

    async def capture(self, capture: Capture) -> None:
        """Takes the money: the order is paid, or cancelled where the provider declines."""
        with refusals():
            payment = await self._intent(capture)
            if payment is None:
                return
            async with calling(
                missed=lambda: self._note(payment, Payment.miss),
                unclear=lambda: self._note(payment, Payment.doubt),
            ):
                taken = await self._provider.capture(payment.key, capture)
            await self._end(payment, taken=taken)

    async def _intent(self, capture: Capture) -> Payment | None:
        """The payment, claimed, committed; None where its end is known."""
        async with self._work.step() as books:
            known = await _known(books, capture)
        if known and not known.is_in_flight:
            return None
        if known and known.asked:
            wanted = known  # it may be charged: to find out comes first, whatever has become of the order
        elif self._work.is_expired:
            raise ExpiredError
        else:
            wanted = await self._payable(capture, known)
        async with self._work.step() as books:
            if not await books.payments.add(wanted):
                known = await _known(books, capture)
                if known and not known.is_in_flight:
                    return None
                if known:
                    wanted = known.ask()
                    await books.payments.save(wanted)
                else:
                    await _take_place(books, wanted)
            if not await books.payments.claim(capture.payment_id):
                raise claimed()
        return wanted

    async def _payable(self, capture: Capture, known: Payment | None) -> Payment:
        """Asks the order before any money is; what was begun for a cancelled one is given up."""
        order = await self._orders.find(capture.order_id)
        try:
            return capture.of(order)
        except OrderIsCancelledError:
            if known:
                await self._note(known, Payment.void)
            raise

    async def _end(self, payment: Payment, *, taken: bool) -> None:
        async with self._work.last() as books:
            before = await _lock(books, payment)
            after = before.capture() if taken else before.decline()
            await books.payments.release(payment.payment_id)
            if after == before:
                return
            await books.payments.save(after)
            if taken:
                books.publish(
                    OrderPaid(
                        order_id=after.order_id,
                        payment_id=after.payment_id,
                        amount=after.amount,
                        currency=after.currency,
                    )
                )
            else:
                books.publish(OrderCancelled(order_id=after.order_id, reason="payment_declined"))

    async def _note(self, payment: Payment, rule: Callable[[Payment], Payment]) -> None:
        """Commits what the rule makes of the payment, and frees it for the next run."""
        async with self._work.step() as books:
            await books.payments.save(rule(await _lock(books, payment)))
            await books.payments.release(payment.payment_id)


async def _known(books: Books, capture: Capture) -> Payment | None:
    """The payment of that id.

    Raises PaymentConflictError, and for a voided one AlreadyPaidError or OrderIsCancelledError.
    """
    known = await books.payments.lock(capture.payment_id)
    if known is None:
        return None
    known.check_same(capture)
    if known.status is PaymentStatus.VOIDED:
        other = await books.payments.lock_of_order(known.order_id)
        raise (AlreadyPaidError if other and other.takes_money else OrderIsCancelledError)(known.payment_id)
    return known


async def _take_place(books: Books, payment: Payment) -> None:
    """Stores it for an order that has another payment, if the provider never heard of that one.

    Raises AlreadyPaidError.
    """
    other = await books.payments.lock_of_order(payment.order_id)
    if other:
        await books.payments.save(other.void())
    if not await books.payments.add(payment):
        raise AlreadyPaidError(payment.payment_id)


async def _lock(books: Books, payment: Payment) -> Payment:
    locked = await books.payments.lock(payment.payment_id)
    if locked is None:
        raise PaymentMissingError(payment.payment_id)
    return locked
