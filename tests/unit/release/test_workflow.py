import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
WORKFLOW: dict[str, Any] = yaml.safe_load(TEXT)
STEPS: list[dict[str, Any]] = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def test_every_action_is_pinned_to_a_commit_and_says_which_version_that_is() -> None:
    used = [line for line in TEXT.splitlines() if "uses:" in line]

    assert [
        line for line in used if not re.search(r"uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)
    ] == []


def test_one_action_has_one_version_everywhere() -> None:
    used = {step["uses"] for step in STEPS if "uses" in step}

    assert len({action.partition("@")[0] for action in used}) == len(used)


def test_nothing_may_write_and_no_job_asks_for_more() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not [name for name, job in WORKFLOW["jobs"].items() if "permissions" in job]
    assert "secrets." not in TEXT


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]

    assert len(checkouts) == len(WORKFLOW["jobs"])
    assert {step["with"]["persist-credentials"] for step in checkouts} == {False}


def test_no_text_of_a_stranger_becomes_part_of_a_command() -> None:
    assert [step["run"] for step in STEPS if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("name", WORKFLOW["jobs"])
def test_every_job_has_a_time_limit(name: str) -> None:
    assert WORKFLOW["jobs"][name]["timeout-minutes"] <= 60


def test_it_runs_what_a_change_has_to_pass() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    made = {found for step in STEPS for found in re.findall(r"make ([a-z-]+)", step.get("run", ""))}

    assert made <= set(targets)
    assert made >= {"check", "test", "reliability", "audit", "sbom"}
    assert made >= {target for target in targets if target.endswith("-test")}
