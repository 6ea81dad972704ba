"""The protocol itself, state by state: its small scopes hold, and their planted bugs are caught."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MODEL = Path(__file__).parent / "model"
QUICK = ("lossy", "pause-twice", "pause-lossy", "poison", "forgetful", "open_at_once")


@pytest.mark.timeout(600)
def test_every_state_of_the_quick_scopes_is_as_it_should_be(tell: Callable[[object], None]) -> None:
    done = subprocess.run(
        [sys.executable, "check.py", *QUICK], cwd=MODEL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tell(done.stdout.splitlines()[-1])
    assert done.stdout.rstrip().endswith("0 unexpected")
