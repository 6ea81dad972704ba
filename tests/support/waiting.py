"""Patience: a test waits for a fact, never for a length of time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

T = TypeVar("T")

_EVERY = 0.02


async def eventually(predicate: Callable[[], Awaitable[T] | T], *, within: float = 15.0) -> T:
    """The first true value of `predicate`, which may be async and is asked again for `within` seconds.

    An AssertionError raised by `predicate` counts as "not yet".
    Raises AssertionError with the last answer once the time is over.
    """
    deadline = time.monotonic() + within
    while True:
        answer: object = None
        try:
            answer = predicate()
            if inspect.isawaitable(answer):
                answer = await answer
            failure = None
        except AssertionError as error:
            failure = error
        if failure is None and answer:
            return cast("T", answer)
        if time.monotonic() >= deadline:
            raise AssertionError(_complaint(predicate, within, answer, failure)) from failure
        await asyncio.sleep(_EVERY)


def until(predicate: Callable[[], T], *, within: float = 15.0) -> T:
    """`eventually` for code without an event loop."""
    deadline = time.monotonic() + within
    while not (answer := predicate()):
        if time.monotonic() >= deadline:
            raise AssertionError(_complaint(predicate, within, answer, None))
        time.sleep(_EVERY)
    return answer


def _complaint(predicate: object, within: float, answer: object, failure: AssertionError | None) -> str:
    name = getattr(predicate, "__qualname__", repr(predicate))
    return f"not within {within} s: {name} (last: {answer if failure is None else failure!r})"
