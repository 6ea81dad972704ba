"""What a test does when the machine lacks something it needs."""

import os
from typing import NoReturn

import pytest


def skip_or_fail(reason: str) -> NoReturn:
    """Skips the test and says so in the summary; in CI (`CI=true`), which may lack nothing, fails it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"NOT AVAILABLE, and this is CI: {reason}", pytrace=False)
    pytest.skip(f"NOT AVAILABLE, so nothing was tested here: {reason}")
