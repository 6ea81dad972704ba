"""What goes wrong at the start, in one line for whoever typed the command."""

from collections.abc import Sequence


class LocalStartError(Exception):
    """Ends a command: `str()` is the line to show, `details` are lines of a log that explain it."""

    exit_code = 1

    def __init__(self, message: str, *, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.details = tuple(details)


class BadSettingError(LocalStartError):
    """A value in the environment or in `.env` that nobody could act on."""

    exit_code = 2


class BadInputError(LocalStartError):
    """What was typed can't be meant."""

    exit_code = 2
