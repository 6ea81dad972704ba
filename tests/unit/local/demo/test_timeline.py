from datetime import UTC, datetime, timedelta
from io import StringIO

from rich.console import Console

from local_start.demo.asking import Happening
from local_start.demo.timeline import TimelineView

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _event(
    name: str,
    kind: str,
    *,
    cause: str | None = None,
    status: str = "completed",
    after: float | None = 0.5,
    reason: str | None = None,
) -> Happening:
    return Happening(
        id=name,
        type=kind,
        status=status,
        causation_id=cause,
        time=BEGAN,
        ended_at=None if after is None else BEGAN + timedelta(seconds=after),
        reason=reason,
    )


STORY = [
    _event("1", "ORDER_CREATED", after=0.01),
    _event("2", "send-notification", cause="1", status="active", after=None),
    _event("3", "INVENTORY_RESERVED", cause="1"),
    _event("4", "PAYMENT_AUTHORIZED", status="dead", reason="amount_mismatch"),
    _event("5", "ORDER_CANCELLED", cause="3"),
    _event("6", "INVENTORY_RELEASED", cause="5", after=61.25),
]


def _view(*, plain: bool = False) -> TimelineView:
    view = TimelineView(plain=plain)
    view.update(STORY, {"1": "Ada orders 3 mugs", "6": "gives back what it holds: out of stock, sadly"})
    return view


def _shown(view: TimelineView, width: int = 80) -> list[str]:
    console = Console(file=StringIO(), width=width)
    with console.capture() as captured:
        console.print(view.tree())
    return [line.rstrip() for line in captured.get().splitlines()]


def test_each_event_stands_under_what_caused_it() -> None:
    shown = _shown(_view(), width=120)

    assert [line[7:].split()[0].strip("└─") for line in shown] == [
        "ORDER_CREATED",
        "send-notification",
        "INVENTORY_RESERVED",
        "ORDER_CANCELLED",
        "INVENTORY_RELEASED",
        "PAYMENT_AUTHORIZED",
    ]
    assert "    └─INVENTORY_RELEASED" in shown[4]


def test_a_row_says_when_it_ended_how_it_is_and_what_it_is_about() -> None:
    shown = _shown(_view(), width=120)

    assert shown[0].split() == ["0.01", "s", "ORDER_CREATED", "completed", "Ada", "orders", "3", "mugs"]
    assert shown[1].split() == ["└─send-notification", "active"]


def test_why_an_event_is_dead_is_said() -> None:
    shown = _shown(_view(), width=120)

    assert shown[-1].split(maxsplit=3)[2:] == ["PAYMENT_AUTHORIZED", "dead       (amount mismatch)"]


def test_eighty_columns_hold_every_name_and_fold_the_words() -> None:
    shown = _shown(_view())

    assert all(len(line) <= 80 for line in shown)
    assert any("    └─INVENTORY_RELEASED completed" in line for line in shown)
    assert "sadly" in shown[5]


def test_a_line_alone_keeps_its_depth() -> None:
    line = _view().line(STORY[2]).plain

    assert line.split() == ["0.50", "s", "└─INVENTORY_RESERVED", "completed"]


def test_plain_is_ascii() -> None:
    assert all(line.isascii() for line in _shown(_view(plain=True)))


def test_an_event_whose_cause_is_not_in_the_story_stands_for_itself() -> None:
    view = TimelineView(plain=False)
    view.update([_event("2", "ORDER_PAID", cause="elsewhere")], {})

    assert "└─" not in _shown(view)[0]
