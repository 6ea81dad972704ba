"""What a start tells: one line for each thing that matters, and what it waits for while it does."""

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Sequence

from rich.console import Console
from rich.text import Text

Says = Callable[[str], None]


class Teller:
    """Writes lines to standard output; a terminal also gets a progress display.

    A reader that went away (a closed pipe or terminal) silences it and never stops a start.
    """

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._plain = not self._console.encoding.lower().startswith("utf")

    def good(self, text: str) -> None:
        self._line("+" if self._plain else "✓", "green", text)

    def bad(self, text: str, details: Sequence[str] = ()) -> None:
        self._line("!" if self._plain else "✗", "red", text)
        for line in details:
            self._print(Text(f"    {line}", style="dim"))

    def note(self, text: str) -> None:
        self._line("-" if self._plain else "·", "dim", text)

    def table(self, rows: Sequence[tuple[str, str]]) -> None:
        """Rows of a name and a value that can be copied as it stands, however long."""
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            self._print(Text.assemble(f"  {name:<{width}}  ", (value, "bold")))

    @contextlib.contextmanager
    def waiting(self, text: str) -> Generator[Says]:
        """Shows on a terminal what is being waited for; what it yields changes the text."""
        if not self._console.is_terminal:
            yield lambda _: None
            return
        with self._console.status(Text(text)) as status:
            yield lambda now: status.update(Text(now))

    def _line(self, mark: str, style: str, text: str) -> None:
        self._print(Text.assemble((mark, style), " ", text))

    def _print(self, text: Text) -> None:
        try:
            self._console.print(text)
            sys.stdout.flush()
        except UnicodeEncodeError:
            sys.stdout.write(text.plain.encode("ascii", "backslashreplace").decode() + "\n")
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
