"""Plants each bug that the proofs have to catch, and shows that they do. Run by hand:

    python tests/reliability/planted.py [name …]      SIZE=full for the proofs in full size

A copy of the packages gets the bug, by a small replacement of text that fails loudly where the text is not
found; the proof of it runs against the copy, in a process of its own, and has to fail. Ends with 1 if a bug
was planted and not caught. Each proof has to pass without its bug: `make reliability` shows that.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
PROOFS = "tests/reliability"
PACKAGES = (
    "shared/src/shared",
    "services/payment-worker/src/payment_worker",
    "services/notification-worker/src/notification_worker",
)


@dataclass(frozen=True)
class Change:
    """A text in a file of a package, which is there exactly once, and what takes its place."""

    file: str
    old: str
    new: str


class NotPlantedError(Exception):
    """The text to replace is not there, or more than once."""


@dataclass(frozen=True)
class Bug:
    """What is planted, and the proof that has to fail."""

    name: str
    changes: Sequence[Change]
    proof: str
    tries: int = 1
    """How often the proof may run until it fails, where luck has a part in it."""


POINTS = f"{PROOFS}/test_fault_points.py::test_a_worker_may_end_at_any_point[kill]"
WIPES = f"{PROOFS}/test_wipes.py::test_nothing_is_lost_or_done_twice"
KILLS = f"{PROOFS}/test_random_kills.py::test_every_accepted_event_ends_and_its_effects_happen_once[sqlite]"
TAKEOVER = (
    f"{PROOFS}/test_takeover.py::test_with_default_settings_a_dead_workers_events_are_done_within_ten_seconds"
)
LONG = f"{PROOFS}/test_takeover.py::test_a_handler_ten_times_longer_than_the_lease_is_started_once"
OUTSIDE = f"{PROOFS}/test_fault_points.py::test_a_worker_whose_effect_is_outside_may_end_at_any_point[kill]"
MONEY = f"{PROOFS}/test_money.py::test_the_difference_is_nought"
POISON = f"{PROOFS}/test_poison.py::test_poison_dies_and_its_neighbours_do_not"

BUGS = (
    Bug(
        "ack before commit",
        [
            Change(
                "shared/queue/consumer.py",
                "            began = time.monotonic()\n            try:\n",
                "            lane = self._keys.lanes[delivery.lane - 1]\n"
                "            ack = Call('ack', (lane,), (GROUP, delivery.entry_id))\n"
                "            await self._scripts.call_all([ack])\n"
                "            began = time.monotonic()\n            try:\n",
            )
        ],
        POINTS,
    ),
    Bug(
        "no inbox: a copy runs like the first",
        [
            Change(
                "shared/store/ledger.py",
                "insert_inbox(session, ended_row(delivery, Outcome.COMPLETED)):\n",
                "insert_inbox(session, ended_row(delivery, Outcome.COMPLETED)) and not delivery:\n",
            )
        ],
        KILLS,
    ),
    Bug(
        "inbox apart: committed before the effect",
        [
            Change(
                "shared/store/ledger.py",
                "                raise AlreadyEndedError(verdict)\n",
                "                raise AlreadyEndedError(verdict)\n            await session.commit()\n",
            )
        ],
        POINTS,
    ),
    Bug(
        "XADD with MAXLEN",
        [
            Change(
                "shared/queue/lua/send.lua",
                "redis.call('XADD', KEYS[tonumber(ARGV[i]) + 1], '*',",
                "redis.call('XADD', KEYS[tonumber(ARGV[i]) + 1], 'MAXLEN', '10', '*',",
            )
        ],
        TAKEOVER,
    ),
    Bug(
        "group at $",
        [
            Change(
                "shared/queue/lua/fetch.lua",
                "KEYS[i], group, '0', 'MKSTREAM'",
                "KEYS[i], group, '$', 'MKSTREAM'",
            )
        ],
        f"{WIPES}[restart_empty]",
        tries=3,
    ),
    Bug(
        "lease off: nothing is renewed",
        [
            Change(
                "shared/queue/consumer.py",
                "self._scripts.call_all(self._hand.renewals() + once)",
                "self._scripts.call_all(once)",
            )
        ],
        LONG,
    ),
    Bug(
        "suspects run beside others",
        [
            Change(
                "shared/queue/hand.py",
                "self.holds_suspect = self.holds_suspect or delivery.suspect",
                "self.holds_suspect = False",
            ),
            Change(
                "shared/queue/lua/fetch.lua",
                "elseif deliveries > 0 and #entries == 0 then",
                "elseif deliveries > 0 and left > 0 then",
            ),
            Change(
                "shared/queue/lua/fetch.lua",
                "        if #entries > 0 then\n          return {'open', 0, {}, entries, now}\n        end\n",
                "",
            ),
        ],
        POISON,
    ),
    Bug(
        "the relay's mark holds for every epoch",
        [
            Change(
                "shared/store/relay.py",
                "& or_(sent.is_(None), sent < epoch, sent > epoch)",
                "& sent.is_(None)",
            )
        ],
        f"{WIPES}[wipe]",
    ),
    Bug(
        "epochs are compared by <",
        [
            Change(
                "shared/store/relay.py",
                "& or_(sent.is_(None), sent < epoch, sent > epoch)",
                "& or_(sent.is_(None), sent < epoch)",
            )
        ],
        f"{WIPES}[wipe]",
        tries=4,
    ),
    Bug(
        "closed on send: the hand-over closes its rows, then posts",
        [
            Change(
                "shared/store/handover.py",
                "        body = batch.model_dump_json(exclude_defaults=True)",
                "        await self._close(outbox, attempts, inbox)\n"
                "        body = batch.model_dump_json(exclude_defaults=True)",
            )
        ],
        POINTS,
    ),
    Bug(
        "a provider's key made anew per attempt",
        [
            Change(
                "payment_worker/service/captures.py",
                "self._provider.capture(payment.key, capture)",
                "self._provider.capture(f'{payment.key}:{id(payment)}', capture)",
            )
        ],
        MONEY,
    ),
    Bug(
        "the intent after the call",
        [
            Change(
                "payment_worker/service/captures.py",
                "            payment = await self._intent(capture)\n",
                "            await self._provider.capture(f'capture:{capture.payment_id}', capture)\n"
                "            payment = await self._intent(capture)\n",
            )
        ],
        MONEY,
    ),
    Bug(
        "the mail before the claim",
        [
            Change(
                "notification_worker/service.py",
                "            async with self._mailer.connection() as connection:\n",
                "            async with self._mailer.connection() as connection:\n"
                "                await connection.send(mail_of(message, name))\n",
            ),
            Change(
                "notification_worker/service.py",
                "                    await connection.send(mail_of(claimed, name))\n",
                "                    pass\n",
            ),
        ],
        OUTSIDE,
    ),
)


def main(names: Sequence[str]) -> int:
    bugs = [bug for bug in BUGS if not names or any(bug.name.startswith(name) for name in names)]
    rows = [(bug, *caught(bug)) for bug in bugs]
    print(f"\n{'planted':<58} {'caught':<11} {'seconds':>7}  by")  # noqa: T201 its output
    for bug, verdict, how, seconds in rows:
        proof = bug.proof.rpartition("::")[2]
        print(f"{bug.name:<58} {verdict:<11} {seconds:>7.0f}  {proof}: {how}")  # noqa: T201 its output
    return int(not bugs or any(verdict != "yes" for _, verdict, *_ in rows))


def caught(bug: Bug) -> tuple[str, str, float]:
    """`yes`, `NO` or `NOT PLANTED`; how the proof failed; and how many seconds all of it took."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="planted-") as directory:
        copy = Path(directory)
        for package in PACKAGES:
            shutil.copytree(ROOT / package, copy / Path(package).name)
        try:
            for change in bug.changes:
                plant(change, copy)
        except NotPlantedError as error:
            return "NOT PLANTED", str(error), 0
        for _ in range(bug.tries):
            print(f"{bug.name}: {bug.proof}", flush=True)  # noqa: T201 its output
            if how := failure(bug.proof, copy):
                return "yes", how, time.monotonic() - began
    return "NO", "", time.monotonic() - began


def plant(change: Change, copy: Path) -> None:
    """Raises NotPlantedError."""
    file = copy / change.file
    text = file.read_text()
    if (count := text.count(change.old)) != 1:
        raise NotPlantedError(f"{change.file} has {count} times, not once: {change.old!r}")
    file.write_text(text.replace(change.old, change.new))


def failure(proof: str, copy: Path) -> str:
    """The first line of the error that pytest reports; empty if the proof passed."""
    command = [sys.executable, "-m", "pytest", "--quiet", "--no-header", "-p", "no:cacheprovider", proof]
    basetemp = f"--basetemp={copy / 'tests'}"
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(
        [*command, basetemp], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stdout.splitlines() if line.startswith("E  ")]
    if done.returncode != 1 or not errors:
        raise SystemExit(f"the proof did not run:\n{done.stdout}\n{done.stderr}")
    return errors[0].removeprefix("E").strip()[:160]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
