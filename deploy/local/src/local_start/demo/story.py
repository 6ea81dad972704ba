"""How the demo goes: stock, four orders one after the other, and the report."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from local_start.console import Shows, Teller
from local_start.datadir import DataDir
from local_start.demo.asking import Asking, Happening
from local_start.demo.report import Report
from local_start.demo.samples import STOCK, Sample, Step, expected, make_samples, order_to_try
from local_start.demo.timeline import TimelineView
from local_start.demo.wording import counted, in_words
from local_start.record import Run
from shared.events import UnknownTypeError, parse

_POLL = 0.1  # seconds
_PATIENCE = 30.0  # seconds for one step and all that follows from it


def show(teller: Teller) -> Callable[[Run, DataDir], Coroutine[Any, Any, None]]:
    """The demo, told to this teller, on the system of a run."""

    async def on(run: Run, data: DataDir) -> None:
        key = data.api_key.read_text().strip()
        provider, mails = run.told.get("PAYMENT_SANDBOX_URL"), run.told.get("MAIL_SINK_URL")
        async with Asking(run.urls["gateway"], key, provider=provider, mails=mails) as asking:
            await _tell(asking, teller, Report(run, data, teller))

    return on


async def _tell(asking: Asking, teller: Teller, report: Report) -> None:
    before = {mail.ID for mail in await asking.mails() or ()}
    name = secrets.token_hex(3)
    samples = make_samples(name)
    for stock in STOCK:
        await asking.fill(stock)
    teller.good("in stock: " + ", ".join(counted(stock.available, stock.sku) for stock in STOCK))
    for number, sample in enumerate(samples, 1):
        teller.heading(f"{number} of {len(samples)}: {sample.title}", sample.order_id)
        await _Watching(sample, asking, teller).watch()
    mails = await asking.mails()
    report.tell(
        samples,
        order_to_try(name),
        mails=None if mails is None else [mail for mail in reversed(mails) if mail.ID not in before],
        stock=[await asking.stock_of(stock.sku) for stock in STOCK],
        ledger=await asking.ledger(),
    )


class _Watching:
    """One sample: its steps are published, and its timeline is shown while it grows."""

    def __init__(self, sample: Sample, asking: Asking, teller: Teller) -> None:
        self._sample = sample
        self._asking = asking
        self._teller = teller
        self._view = TimelineView(plain=teller.plain)
        self._words: dict[str, str] = {}
        self._told: set[str] = set()

    async def watch(self) -> None:
        done: tuple[Step, ...] = ()
        with self._teller.live() as show:
            for step in self._sample.steps:
                await self._asking.publish(step.event, self._sample.order_id)
                done = (*done, step)
                if not await self._until_ended(done, show):
                    break
        await self._conclude()

    async def _until_ended(self, done: tuple[Step, ...], show: Shows | None) -> bool:
        """Shows what is new until all that these steps come to has ended; False if that takes too long."""
        wanted = expected(done)
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            happenings = await self._asking.timeline(self._sample.order_id)
            if await self._look_up(happenings):
                # Until its data is known an event may be only an outcome, with its cause still to come.
                happenings = await self._asking.timeline(self._sample.order_id)
            self._view.update(happenings, self._words)
            if show is None:
                self._tell_ended(happenings)
            else:
                show(self._view.tree())
            known = Counter(happening.type for happening in happenings if happening.id in self._words)
            if known >= wanted and all(happening.has_ended for happening in happenings):
                return True
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(_POLL)

    async def _look_up(self, happenings: Sequence[Happening]) -> bool:
        """Asks what each event says that is not known yet; whether something new was learnt."""
        known = len(self._words)
        for happening in happenings:
            if happening.id not in self._words:
                data = await self._asking.data_of(happening.id)
                if data is not None:
                    self._words[happening.id] = _words_of(happening, data)
        return len(self._words) > known

    def _tell_ended(self, happenings: Sequence[Happening]) -> None:
        """Each event once it has ended, is known in full, and what caused it has been told."""
        for happening in sorted(happenings, key=lambda each: each.ended_at or each.time):
            is_known = happening.has_ended and happening.id in self._words
            cause = happening.causation_id
            if is_known and happening.id not in self._told and (cause is None or cause in self._told):
                self._told.add(happening.id)
                self._teller.line(self._view.line(happening))

    async def _conclude(self) -> None:
        status = await self._asking.status_of(self._sample.order_id)
        if status == self._sample.ends:
            self._teller.good(f"{status}: {self._sample.why}")
        else:
            self._teller.bad(f"{status}, and should be {self._sample.ends}: see the logs of the workers")


def _words_of(happening: Happening, data: Mapping[str, Any]) -> str:
    try:
        return in_words(parse(happening.type, json.dumps(data)))
    except (ValidationError, UnknownTypeError):  # somebody else's event in this story
        return ""
