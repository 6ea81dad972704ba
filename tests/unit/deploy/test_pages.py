"""The pages about running it lead to places that there are, and name variables and jobs that there are."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")])
COMPOSE = (ROOT / "docker-compose.yml").read_text()
DEPLOY = (ROOT / "docs/deploy.md").read_text()
OF_COMPOSE_ITSELF = {"COMPOSE_PROFILES"}


def _without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    """As a forge makes them of headings: in small letters, hyphens for blanks, no other signs."""
    headings = re.findall(r"^#+ (.+)$", _without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [
        link.partition("#")
        for link in re.findall(r"\]\(([^)\s]+)\)", _without_code(page))
        if not link.startswith("http")
    ]
    to = [((page.parent / path) if path else page, anchor) for path, _, anchor in links]

    assert [str(path) for path, _ in to if not path.exists()] == []
    assert [f"{path}#{anchor}" for path, anchor in to if anchor and anchor not in _anchors(path)] == []


def test_every_variable_that_may_stand_in_the_env_file_is_one_that_compose_is_asked_for() -> None:
    table = DEPLOY.partition("| line in `.env` |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}
    set_by_hand = set(re.findall(r"\b([A-Z][A-Z_]+)=\S+ [^\n]*(?:>>\.env|docker compose)", DEPLOY))

    assert len(named) > 10
    assert (named | set_by_hand) - OF_COMPOSE_ITSELF - set(re.findall(r"\$\{([A-Z_]+)", COMPOSE)) == set()


def test_every_migration_is_run_before_anything_is_replaced() -> None:
    services: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
    jobs = re.search(r"for job in ([a-z -]+);", DEPLOY)

    assert jobs
    assert set(jobs[1].split()) == {name for name in services if name.startswith("migrate-")}
