"""What the demo tells at its end: mails, stock, money, and how to go on."""

from collections.abc import Sequence

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from local_start.console import Teller
from local_start.datadir import DataDir
from local_start.demo.asking import LedgerEntry, MailTaken, StockLevel
from local_start.demo.samples import CURRENCY, Sample
from local_start.demo.wording import money
from local_start.record import Run
from local_start.welcome import authorization, example_request
from shared.events import OrderCreated


class Report:
    """The end of a demo on the system of this run."""

    def __init__(self, run: Run, data: DataDir, teller: Teller) -> None:
        self._run = run
        self._data = data
        self._teller = teller

    def tell(
        self,
        samples: Sequence[Sample],
        to_try: OrderCreated,
        *,
        mails: Sequence[MailTaken] | None,
        stock: Sequence[StockLevel],
        ledger: Sequence[LedgerEntry] | None,
    ) -> None:
        """`mails` are those of this demo; they and the `ledger` are None where others keep them."""
        if mails is None:
            self._teller.heading("The mails went to the server of SMTP_HOST")
        else:
            self._teller.heading(f"{len(mails)} mails went out")
            self._teller.show(mails_table(mails))
            self._tell_one(mails, samples[0].email)
        self._teller.heading("The stock", "a shipped order keeps what it reserved")
        self._teller.show(stock_table(stock))
        if ledger is not None:
            orders = {sample.order_id: sample.title for sample in samples}
            self._teller.heading("The payment provider's own ledger")
            self._teller.show(ledger_table([entry for entry in ledger if entry.order_id in orders]))
        self._teller.heading("Go on")
        self._teller.table(self._ways_on(to_try))

    def _tell_one(self, mails: Sequence[MailTaken], to: str) -> None:
        """The last mail to this address."""
        theirs = [mail for mail in mails if any(recipient.Address == to for recipient in mail.To)]
        if not theirs:
            return
        mail = theirs[-1]
        self._teller.heading(f"One of them: {mail.Subject}", f"from {mail.From.Address} to {to}")
        self._teller.show(Padding(Text(mail.Text.strip()), (0, 0, 0, 4), expand=False))

    def _ways_on(self, to_try: OrderCreated) -> list[tuple[str, str]]:
        gateway, mails = self._run.urls["gateway"], self._run.told.get("MAIL_SINK_URL")
        return [
            ("address", gateway),
            ("API key", self._data.api_key.read_text().strip()),
            ("key file", str(self._data.api_key)),
            *([("mails", f"{mails}/")] if mails else []),
            ("publish", example_request(gateway, self._data, to_try)),
            ("look", f"curl -sS {gateway}/v1/timeline/{to_try.order_id} {authorization(self._data)}"),
        ]


def mails_table(mails: Sequence[MailTaken]) -> Table:
    table = _table("to", "subject")
    for mail in mails:
        table.add_row(Text(", ".join(to.Address for to in mail.To)), Text(mail.Subject))
    return table


def stock_table(stock: Sequence[StockLevel]) -> Table:
    table = _table("SKU", numbers=("on hand", "reserved", "available", "low below"))
    for level in stock:
        few = level.available < level.low_stock_threshold
        numbers = (level.on_hand, level.reserved, level.available, level.low_stock_threshold)
        table.add_row(Text(level.sku, style="yellow" if few else ""), *map(str, numbers))
    return table


def ledger_table(ledger: Sequence[LedgerEntry]) -> Table:
    """Each movement of money; the sum is what the shop has of these orders."""
    table = _table("order", "what", numbers=("amount",))
    kept = 0
    for entry in ledger:
        sign = {"capture": 1, "refund": -1}.get(entry.kind, 0)
        kept += sign * entry.amount
        table.add_row(entry.order_id, entry.kind, money(entry.amount, entry.currency))
    table.add_row("", "kept", money(kept, CURRENCY))
    return table


def _table(*texts: str, numbers: Sequence[str] = ()) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for column in texts:
        table.add_column(column, overflow="fold")
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table
