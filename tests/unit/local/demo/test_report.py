import os
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from local_start.console import Teller
from local_start.datadir import DataDir
from local_start.demo.asking import LedgerEntry, MailTaken, StockLevel
from local_start.demo.report import Report, ledger_table, stock_table
from local_start.demo.samples import make_samples, order_to_try
from local_start.demo.wording import in_words
from local_start.identity import ProcessId
from local_start.record import Kind, Run
from shared.events import EXAMPLES, Event

SAMPLES = make_samples("1")
STOCK = [StockLevel(sku="mug", on_hand=10, reserved=3, available=7, low_stock_threshold=8)]
LEDGER = [
    LedgerEntry(kind="capture", order_id="demo-1-ada", amount=7150, currency="EUR"),
    LedgerEntry(kind="capture", order_id="demo-1-ben", amount=3400, currency="EUR"),
    LedgerEntry(kind="refund", order_id="demo-1-ben", amount=3400, currency="EUR"),
    LedgerEntry(kind="void", order_id="demo-1-dan", amount=1800, currency="EUR"),
    LedgerEntry(kind="capture", order_id="somebody-elses", amount=99, currency="EUR"),
]


def _mail(to: str, subject: str, text: str = "Hello") -> MailTaken:
    return MailTaken.model_validate(
        {
            "ID": subject,
            "From": {"Address": "shop@example.com"},
            "To": [{"Address": to}],
            "Subject": subject,
            "Text": text,
        }
    )


MAILS = [
    _mail("ada@example.com", "Your order"),
    _mail("operators@example.com", "Low stock"),
    _mail("ada@example.com", "On its way", "Tracking number: 123"),
    _mail("dan@example.com", "Cancelled"),
]


def _shown(renderable: RenderableType) -> list[list[str]]:
    console = Console(file=StringIO(), width=80)
    with console.capture() as captured:
        console.print(renderable)
    return [line.split() for line in captured.get().splitlines()]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    data = DataDir(tmp_path)
    data.prepare()
    me = ProcessId.of(os.getpid())
    assert me is not None
    told = {"MAIL_SINK_URL": "http://127.0.0.1:8025"}
    return Report(Run(Kind.SYSTEM, me, urls={"gateway": "http://127.0.0.1:8000"}, told=told), data, Teller())


def test_what_the_shop_keeps_is_what_was_taken_less_what_was_given_back() -> None:
    shown = _shown(ledger_table(LEDGER[:4]))

    assert shown[1] == ["demo-1-ada", "capture", "71.50", "EUR"]
    assert shown[-1] == ["kept", "71.50", "EUR"]


def test_the_stock_is_shown_in_numbers() -> None:
    assert _shown(stock_table(STOCK))[1] == ["mug", "10", "3", "7", "8"]


def test_the_report_tells_this_demos_mails_money_and_stock_and_how_to_go_on(
    report: Report, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    report.tell(SAMPLES, order_to_try("1"), mails=MAILS, stock=STOCK, ledger=LEDGER)

    told = capsys.readouterr().out
    assert "4 mails went out" in told
    assert "Tracking number: 123" in told
    assert "somebody-elses" not in told
    assert "http://127.0.0.1:8025/" in told
    assert (tmp_path / "api-key").read_text().strip() in told
    commands = [line.strip() for line in told.splitlines() if "curl " in line]
    assert len(commands) == 2, "a command is one line, however long"
    assert all(f"$(cat {tmp_path}/api-key)" in command for command in commands)


def test_where_others_keep_the_mails_and_the_money_the_report_does_without(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.tell(SAMPLES, order_to_try("1"), mails=None, stock=STOCK, ledger=None)

    told = capsys.readouterr().out
    assert "SMTP_HOST" in told
    assert "ledger" not in told


@pytest.mark.parametrize("event", EXAMPLES.values(), ids=lambda event: event.type)
def test_every_event_can_be_told_in_one_line(event: Event) -> None:
    assert "\n" not in in_words(event)
