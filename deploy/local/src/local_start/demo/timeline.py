"""The view of one order's timeline: a tree of what caused what, in a table that grows."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from local_start.demo.asking import Happening

_STYLES = {
    "completed": "green",
    "dead": "bold red",
    "retrying": "yellow",
    "active": "cyan",
    "cancelled": "magenta",
    "expired": "magenta",
}
_TYPE_WIDTH = 24  # INVENTORY_RELEASED, two steps in


class TimelineView:
    """Events as they are known, each with its depth under what the shop published itself."""

    def __init__(self, *, plain: bool) -> None:
        """`plain` keeps to ASCII."""
        self._branch = "`-" if plain else "└─"
        self._happenings: Sequence[Happening] = ()
        self._words: Mapping[str, str] = {}

    def update(self, happenings: Sequence[Happening], words: Mapping[str, str]) -> None:
        """What is known now, oldest first; `words` say what each event is about, by its id."""
        self._happenings = happenings
        self._words = words

    def tree(self) -> Table:
        """All of it, each event under what caused it."""
        table = Table.grid(padding=(0, 1))
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, min_width=_TYPE_WIDTH)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for happening, depth in self._in_order():
            table.add_row(
                Text(self._when(happening), style="dim"),
                self._name(happening, depth),
                Text(happening.status, style=_STYLES.get(happening.status, "dim")),
                self._about(happening),
            )
        return table

    def line(self, happening: Happening) -> Text:
        """One event as a line of its own."""
        depth = dict(self._depths()).get(happening.id, 0)
        return Text.assemble(
            f"{self._when(happening):>8} ",
            (self._name(happening, depth).plain.ljust(_TYPE_WIDTH), "bold"),
            (f" {happening.status:<9} ", _STYLES.get(happening.status, "dim")),
            self._about(happening),
        )

    def _name(self, happening: Happening, depth: int) -> Text:
        lead = f"{'  ' * (depth - 1)}{self._branch}" if depth else ""
        return Text.assemble((lead, "dim"), (happening.type, "" if depth else "bold"))

    def _when(self, happening: Happening) -> str:
        """Seconds from the beginning of the story to the end of this event's work."""
        if happening.ended_at is None:
            return ""
        return f"{max(0.0, (happening.ended_at - self._began()).total_seconds()):.2f} s"

    def _began(self) -> datetime:
        return min(happening.time for happening in self._happenings)

    def _about(self, happening: Happening) -> Text:
        words = self._words.get(happening.id, "")
        if happening.reason and happening.status != "completed":
            return Text.assemble(words, (f" ({happening.reason.replace('_', ' ')})", "yellow"))
        return Text(words)

    def _in_order(self) -> Iterable[tuple[Happening, int]]:
        known = {happening.id: happening for happening in self._happenings}
        for event_id, depth in self._depths():
            yield known[event_id], depth

    def _depths(self) -> Iterable[tuple[str, int]]:
        """Each event's id with its depth, causes before what they caused."""
        known = {happening.id for happening in self._happenings}
        caused: dict[str | None, list[str]] = {}
        for happening in self._happenings:
            cause = happening.causation_id if happening.causation_id in known else None
            caused.setdefault(cause, []).append(happening.id)
        waiting = [(event_id, 0) for event_id in reversed(caused.get(None, []))]
        while waiting:
            event_id, depth = waiting.pop()
            yield event_id, depth
            waiting += [(child, depth + 1) for child in reversed(caused.get(event_id, []))]
