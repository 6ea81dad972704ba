"""How a figure is taken: several runs, ours and the baseline in turn, medians and the ratio of pairs."""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

RUNS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    name: str
    ours: float
    unit: str
    baseline: float | None = None
    baseline_name: str = ""
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None
    runs: Sequence[float] = field(default=())
    note: str = ""

    def line(self) -> str:
        parts = [f"{self.name:<46} {self.ours:>12,.2f} {self.unit:<8}"]
        if self.baseline is not None and self.ratio is not None:
            parts.append(f"{self.baseline_name} {self.baseline:,.2f}  ratio {self.ratio:.3f}")
        if self.goal:
            parts.append(f"goal {self.goal}: {'met' if self.met else 'MISSED'}")
        if self.note:
            parts.append(self.note)
        return "  ".join(parts)


async def paired(
    ours: Callable[[], Awaitable[float]], baseline: Callable[[], Awaitable[float]], *, runs: int = RUNS
) -> tuple[list[float], list[float], float]:
    """Both in turn, so that a machine that slows down slows both; the ratio is the median over pairs."""
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(runs):
        theirs.append(await baseline())
        mine.append(await ours())
    return mine, theirs, statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
