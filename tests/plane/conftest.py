"""What the proofs of the data plane share."""

from collections.abc import Callable

import pytest

SAW = "saw"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: a proof that takes half a minute or more, not for each change")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the proofs saw, under their results."""
    said = [
        f"{report.nodeid.rpartition('::')[2]}: {what}"
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, what in report.user_properties
        if name == SAW and report.when == "call"
    ]
    if said:
        terminalreporter.section("what the proofs saw")
        terminalreporter.write_line("\n".join(said))


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[object], None]:
    """Says under the results what a proof saw."""
    return lambda what: record_property(SAW, what)
