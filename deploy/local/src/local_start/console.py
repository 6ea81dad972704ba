"""What a start tells: one line for each thing that matters, and what it waits for while it does."""

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Sequence

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

Says = Callable[[str], None]
Shows = Callable[[RenderableType], None]


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

    @property
    def plain(self) -> bool:
        """Whether only ASCII can be written."""
        return self._plain

    def heading(self, text: str, aside: str = "") -> None:
        """The title of what follows, apart from what was before."""
        self._print(Text())
        self._print(Text.assemble((text, "bold"), (f"  {aside}" if aside else "", "dim")))

    def line(self, text: Text) -> None:
        self._print(text)

    def show(self, renderable: RenderableType) -> None:
        """Something that is laid out for the width of the terminal."""
        self._print(renderable, soft_wrap=False)

    @contextlib.contextmanager
    def live(self) -> Generator[Shows | None]:
        """Yields what replaces the shown thing, whose last state stays; None where that cannot be shown."""
        if not self._console.is_terminal:
            yield None
            return
        with Live(console=self._console, refresh_per_second=10, vertical_overflow="visible") as live:
            yield lambda now: live.update(now, refresh=True)

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

    def _print(self, what: RenderableType, *, soft_wrap: bool = True) -> None:
        try:
            self._console.print(what, soft_wrap=soft_wrap)
            sys.stdout.flush()
        except UnicodeEncodeError:
            with self._console.capture() as written:
                self._console.print(what, soft_wrap=soft_wrap)
            sys.stdout.write(written.get().encode("ascii", "backslashreplace").decode())
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
