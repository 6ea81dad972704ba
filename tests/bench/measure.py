"""How a figure is taken: several runs, ours and the baseline in turn, medians and the ratio of pairs."""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

RUNS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. A figure without a baseline is only stated."""

    name: str
    unit: str
    ours: float
    runs: tuple[float, ...]
    baseline: float | None = None
    ratio: float | None = None
    """Ours to the baseline: the median over pairs."""
    goal: str = ""
    met: bool | None = None

    def line(self) -> str:
        line = f"{self.name:<42} {self.ours:>10,.2f} {self.unit:<9}"
        if self.baseline is not None and self.ratio is not None:
            line += f" baseline {self.baseline:>10,.2f}  ratio {self.ratio:>6.3f}"
        if self.goal:
            line += f"  {self.goal}: {'met' if self.met else 'MISSED'}"
        return line


def stated(name: str, unit: str, runs: Sequence[float]) -> Figure:
    return Figure(name, unit, statistics.median(runs), tuple(runs))


def compared(
    name: str,
    unit: str,
    ours: Sequence[float],
    baseline: Sequence[float],
    ratio: float,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Figure:
    if at_least is not None:
        goal, met = f">= {at_least} of it", ratio >= at_least
    else:
        assert at_most is not None
        goal, met = f"<= {at_most} x it", ratio <= at_most
    return Figure(
        name, unit, statistics.median(ours), tuple(ours), statistics.median(baseline), ratio, goal, met
    )


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
