"""A time limit that is not to be missed."""

import asyncio
from types import TracebackType

AGAIN_SECONDS = 0.5


class TimeLimitError(Exception):
    """A handler took longer than it may."""


class Deadline:
    """Cancels its block after `limit` seconds, and again every half second until it ends.

    `asyncio.timeout` cancels once, and a driver that swallows that once (redis-py on Python 3.11 does,
    SQLAlchemy with a busy SQLite connection did) would let the block run for ever. None lets it run.
    """

    def __init__(self, limit: float | None, what: str) -> None:
        self._limit = limit
        self._what = what
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        if self._limit is not None:
            self._timer = asyncio.get_running_loop().call_later(self._limit, self._expire)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises `TimeLimitError` in place of the cancellation that it caused; a block that ended, ended."""
        if self._timer is not None:
            self._timer.cancel()
        if self._expired and self._task is not None:
            while self._task.cancelling():
                self._task.uncancel()
            if isinstance(error, asyncio.CancelledError):
                raise TimeLimitError(f"{self._what} took longer than {self._limit} s") from error

    def _expire(self) -> None:
        assert self._task is not None  # noqa: S101 the timer begins with the block
        self._expired = True
        self._task.cancel()
        self._timer = asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._expire)
