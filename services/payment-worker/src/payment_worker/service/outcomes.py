"""What a refusal or an outage means for the event."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Final

from payment_worker.domain.order import OrderMissingError
from payment_worker.domain.payment import (
    AlreadyPaidError,
    AmountMismatchError,
    IllegalTransitionError,
    NotCapturedYetError,
    NothingCapturedError,
    OrderIsCancelledError,
    PaymentConflictError,
    PaymentMissingError,
    RefundExceedsCaptureError,
    RefundInFlightError,
)
from payment_worker.domain.refund import RefundConflictError, RefundRefusedError
from payment_worker.ports import KeyRefusedError, OrdersAwayError, ProviderAwayError, UnclearError
from shared.queue.outcomes import GiveUpError, PostponeError

OUTAGE_AT_MOST: Final = timedelta(days=1)
"""How long an event waits for somebody who is away, or for what may be held up by one."""

_DEAD: Final[dict[type[Exception], str]] = {
    PaymentConflictError: "payment_conflict",
    AlreadyPaidError: "already_paid",
    AmountMismatchError: "amount_mismatch",
    OrderIsCancelledError: "order_cancelled",
    IllegalTransitionError: "illegal_transition",
    NothingCapturedError: "nothing_captured",
    RefundExceedsCaptureError: "refund_exceeds_capture",
    RefundRefusedError: "refund_exceeds_capture",
    RefundConflictError: "refund_conflict",
}


def claimed() -> PostponeError:
    """Another run makes this call at the moment, or died while it did."""
    return PostponeError("claimed", "another run is at it", at_most=OUTAGE_AT_MOST)


@contextmanager
def refusals() -> Generator[None]:
    """What comes too early is postponed, what can never work is dead."""
    try:
        yield
    except (OrderMissingError, PaymentMissingError) as error:
        raise PostponeError("out_of_order", str(error)) from error
    except NotCapturedYetError as error:
        raise PostponeError("out_of_order", str(error), at_most=OUTAGE_AT_MOST) from error
    except RefundInFlightError as error:
        raise PostponeError("refund_in_flight", str(error), at_most=OUTAGE_AT_MOST) from error
    except OrdersAwayError as error:
        raise PostponeError("orders_away", str(error), at_most=OUTAGE_AT_MOST) from error
    except tuple(_DEAD) as error:
        raise GiveUpError(_DEAD[type(error)], str(error)) from error


@asynccontextmanager
async def calling(
    *, missed: Callable[[], Awaitable[None]], unclear: Callable[[], Awaitable[None]]
) -> AsyncGenerator[None]:
    """A call to the provider: what it left is committed by these two before the event waits.

    A call that is cut off with its process or its task leaves the claim, which ends by its time.
    """
    try:
        yield
    except ProviderAwayError as error:
        await missed()
        raise PostponeError("provider_away", str(error), at_most=OUTAGE_AT_MOST) from error
    except UnclearError as error:
        await unclear()
        raise PostponeError("provider_unclear", str(error), at_most=OUTAGE_AT_MOST) from error
    except KeyRefusedError as error:
        await unclear()
        raise GiveUpError("key_refused", str(error)) from error
