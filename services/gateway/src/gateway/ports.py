"""What the gateway's use cases need from outside."""

from collections.abc import Sequence
from typing import Protocol

from gateway.domain import Result, Submission


class Journal(Protocol):
    """Where accepted events are kept."""

    async def append(self, submission: Submission) -> Sequence[Result]:
        """Commits the submission with its key, and answers for each of its parts, in order.

        A key that was used before changes nothing and answers as it did then; a submission of which
        nothing was accepted leaves its key free.

        Raises:
            KeyReusedError: the key belongs to another body.
        """
        ...


class ActiveEvents(Protocol):
    """Which events run at this moment."""

    async def active(self, queue: str) -> set[str]:
        """The ids of those that a worker of this queue has in hand. May raise, and may be slow."""
        ...
