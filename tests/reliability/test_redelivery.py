"""Everything may be delivered again, and again: its effects are there once."""

from collections.abc import Callable
from pathlib import Path

from support.checker import Checker
from support.checker_effects import ledger, mails
from support.faults_copies import copy_all
from support.faults_load import Load
from support.system import MOODS, Shape, System

SHAPE = Shape(payments=1, notifications=1, settings=MOODS)
EVENTS = (200, 2_000)


def test_all_that_ever_happened_is_delivered_twice_more_under_load(
    tmp_path: Path, sized: Callable[[int, int], int], tell: Callable[[object], None]
) -> None:
    with System(tmp_path, SHAPE) as system, Load(system, threads=2, pause=0.05) as load:
        wanted = sized(*EVENTS)
        load.go_on(until_accepted=wanted // 2)
        copied = copy_all(system)
        load.go_on(until_accepted=wanted)
        load.finish()
        checker = Checker(system)
        checker.settle(within=120)
        before = (len(ledger(system)), len(mails(system)))

        copied += copy_all(system)
        copied += copy_all(system)
        checker.settle(within=120)

        judgement = checker.judge(load.history, stock=load.stock)
        tell(f"{load.accepted} accepted, {copied} copied, {judgement}, movements and mails {before}")
        assert not judgement.wrong, judgement
        assert (len(ledger(system)), len(mails(system))) == before
