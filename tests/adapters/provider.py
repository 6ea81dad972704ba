"""A payment provider with true idempotency keys and any trouble that a test wants."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from payment_worker.domain.payment import Capture
from payment_worker.domain.refund import Refund
from payment_worker.ports import KeyRefusedError


@dataclass(frozen=True)
class Moved:
    """Money that moved: positive amounts were taken, negative ones given back."""

    payment_id: str
    amount: int


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with a call, before the money moves or after it."""

    error: BaseException
    after: bool = False


class FakeProvider:
    def __init__(self, *troubles: Trouble, declines: bool = False, refuses: bool = False) -> None:
        self.ledger: list[Moved] = []
        self.calls: list[str] = []
        self.troubles = deque(troubles)
        self.during: Callable[[], None] = lambda: None
        """Called while a call is under way."""
        self._declines, self._refuses = declines, refuses
        self._answers: dict[str, tuple[object, bool]] = {}

    async def capture(self, key: str, capture: Capture) -> bool:
        return self._serve(key, capture, Moved(capture.payment_id, capture.amount), taken=not self._declines)

    async def refund(self, refund: Refund) -> bool:
        moved = Moved(refund.payment_id, -refund.amount)
        return self._serve(refund.key, moved, moved, taken=not self._refuses)

    def _serve(self, key: str, parameters: object, moved: Moved, *, taken: bool) -> bool:
        self.calls.append(key)
        self.during()
        trouble = self.troubles.popleft() if self.troubles else None
        if trouble and not trouble.after:
            raise trouble.error
        if key not in self._answers:
            self._answers[key] = (parameters, taken)
            if taken:
                self.ledger.append(moved)
        known, answer = self._answers[key]
        if known != parameters:
            raise KeyRefusedError(f"the key {key} is known")
        if trouble:
            raise trouble.error
        return answer
