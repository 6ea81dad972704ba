from pathlib import Path

import pytest

from shared.events import EVENT_TYPES, handler_of
from shared.events.docs import main, render

PAGE = Path(__file__).parents[3] / "docs" / "events.md"


def test_the_page_in_the_repository_is_up_to_date() -> None:
    assert main(["--check", str(PAGE)]) == 0


def test_the_page_has_each_type_with_its_handler() -> None:
    page = render()

    for name, contract in EVENT_TYPES.items():
        assert f"\n## {name}\n" in page
        assert handler_of(contract) in page


def test_no_cell_of_the_page_breaks_its_row() -> None:
    tables = [line for line in render().splitlines() if line.startswith("|")]

    assert {line.count("|") for line in tables} <= {3, 5}


def test_a_written_page_is_the_one_that_is_checked(tmp_path: Path) -> None:
    page = tmp_path / "events.md"

    assert main(["--check", str(page)]) == 1
    assert main(["--write", str(page)]) == 0
    assert main(["--check", str(page)]) == 0
    page.write_text(page.read_text() + "by hand\n")
    assert main(["--check", str(page)]) == 1


def test_the_page_is_printed_where_nothing_else_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == render()
