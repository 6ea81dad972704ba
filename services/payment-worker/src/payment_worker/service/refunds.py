"""Giving money back, once, and never more than was taken."""

from collections.abc import Callable

from payment_worker.domain.payment import Payment, PaymentMissingError
from payment_worker.domain.refund import (
    Refund,
    RefundConflictError,
    RefundRefusedError,
    RefundStatus,
    RefundWish,
)
from payment_worker.ports import Books, Provider, Work
from payment_worker.service.outcomes import calling, claimed, refusals
from shared.events.notifications import Recipient, SendNotification
from shared.queue.outcomes import ExpiredError


class RefundService:
    """As `CaptureService`. What is promised counts as given back from the intent on, and never expires."""

    def __init__(self, work: Work, provider: Provider) -> None:
        self._work = work
        self._provider = provider

    async def refund(self, wish: RefundWish) -> None:
        """Gives the money back and tells the customer; nothing happens where nothing is left of all."""
        with refusals():
            refund = await self._intent(wish)
            if refund is None:
                return
            async with calling(
                missed=lambda: self._note(refund, Refund.miss),
                unclear=lambda: self._note(refund, Refund.doubt),
            ):
                given = await self._provider.refund(refund)
            if not given:
                await self._refuse(refund)
                raise RefundRefusedError(refund.refund_id)
            await self._end(refund)

    async def _intent(self, wish: RefundWish) -> Refund | None:
        """The refund, claimed, committed; None where there is nothing to do."""
        async with self._work.step() as books:
            payment = await _find_payment(books, wish)
            known = await books.refunds.find(wish.refund_id)
            if known is None and self._work.is_expired:
                raise ExpiredError
            if payment is None:
                raise PaymentMissingError(wish.payment_id or f"of order {wish.order_id}")
            refund = (
                await self._resume(books, known, wish) if known else await self._begin(books, payment, wish)
            )
            if refund and not await books.refunds.claim(refund.refund_id):
                raise claimed()
        return refund

    async def _begin(self, books: Books, payment: Payment, wish: RefundWish) -> Refund | None:
        payment.check_captured()
        refund = wish.of(payment)
        if refund is None:
            return None
        await books.payments.save(payment.promise(refund.amount))
        if not await books.refunds.add(refund):
            raise RefundConflictError(wish.refund_id)  # added meanwhile, for another payment
        return refund

    async def _resume(self, books: Books, known: Refund, wish: RefundWish) -> Refund | None:
        known.check_same(wish)
        if known.status is RefundStatus.REFUSED:
            raise RefundRefusedError(known.refund_id)
        if not known.is_in_flight:
            return None
        refund = known.ask()
        await books.refunds.save(refund)
        return refund

    async def _end(self, refund: Refund) -> None:
        async with self._work.last() as books:
            payment, known = await _locked(books, refund)
            await books.refunds.release(refund.refund_id)
            if not known.is_in_flight:
                return
            await books.payments.save(payment.refund(refund.amount))
            await books.refunds.save(known.complete())
            books.publish(_told(payment, refund))

    async def _refuse(self, refund: Refund) -> None:
        async with self._work.step() as books:
            payment, known = await _locked(books, refund)
            if known.is_in_flight:
                await books.payments.save(payment.take_back(refund.amount))
                await books.refunds.save(known.refuse())
            await books.refunds.release(refund.refund_id)

    async def _note(self, refund: Refund, rule: Callable[[Refund], Refund]) -> None:
        """Commits what the rule makes of the refund, and frees it for the next run."""
        async with self._work.step() as books:
            _, known = await _locked(books, refund)
            await books.refunds.save(rule(known))
            await books.refunds.release(refund.refund_id)


async def _find_payment(books: Books, wish: RefundWish) -> Payment | None:
    if wish.payment_id is None:
        return await books.payments.lock_of_order(wish.order_id)
    return await books.payments.lock(wish.payment_id)


async def _locked(books: Books, refund: Refund) -> tuple[Payment, Refund]:
    """The payment first, as everywhere: no two transactions wait for each other."""
    payment = await books.payments.lock(refund.payment_id)
    known = await books.refunds.find(refund.refund_id)
    if payment is None or known is None:
        raise PaymentMissingError(refund.payment_id)
    return payment, known


def _told(payment: Payment, refund: Refund) -> SendNotification:
    customer = payment.customer
    return SendNotification(
        recipient=Recipient(user_id=customer.id, email=customer.email, locale=customer.locale),
        template="refund",
        variables={
            "name": customer.name,
            "order_id": refund.order_id,
            "amount": refund.amount,
            "currency": refund.currency,
        },
    )
