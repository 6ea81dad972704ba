"""The tokens that stand for means of payment, and how each behaves."""

from enum import Enum
from random import Random
from typing import Final

from payment_sandbox.settings import Settings

SLOW_SECONDS: Final = 2.0


class Fault(Enum):
    """What goes wrong with a call, whatever is decided about the money."""

    NONE = "none"
    SLOW = "slow"  # answered after SLOW_SECONDS
    SILENT = "silent"  # first try: the money moves, and no answer comes
    ERROR_ONCE = "error once"  # first try: 500, no money moves
    ERROR = "error"  # always 500, no money moves


_METHODS: Final = {
    "tok_ok": Fault.NONE,
    "tok_declined": Fault.NONE,
    "tok_timeout_after_charge": Fault.SILENT,
    "tok_error_once": Fault.ERROR_ONCE,
    "tok_error": Fault.ERROR,
    "tok_slow": Fault.SLOW,
}


def refusal_of(method: str) -> str | None:
    """Why no money is taken by this means of payment; None where it is."""
    if method not in _METHODS:
        return "invalid_method"
    return "declined" if method == "tok_declined" else None


def fault_of(method: str | None, key: str, settings: Settings) -> Fault:
    """That of the token, or else one drawn by the shares of the settings.

    The draw is the key's: the same one in every run, so that a run that found something can be repeated.
    """
    fault = _METHODS.get(method or "", Fault.NONE)
    if fault is not Fault.NONE:
        return fault
    drawn = Random(key).random()
    for share, kind in (
        (settings.timeout_share, Fault.SILENT),
        (settings.error_share, Fault.ERROR_ONCE),
        (settings.slow_share, Fault.SLOW),
    ):
        if drawn < share:
            return kind
        drawn -= share
    return Fault.NONE
