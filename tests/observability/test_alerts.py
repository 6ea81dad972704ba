"""Each alert fires when it should, and leads whoever is woken to a page that helps."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from fastapi.routing import APIRoute

import gateway.routes.events
import gateway.routes.internal
import gateway.routes.publish
import gateway.routes.workers
from support.missing import skip_or_fail

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
PAGES = ROOT / "docs" / "operations"
SECTIONS = ["Symptom", "Look", "Act"]


def _rules() -> list[dict[str, Any]]:
    groups: Any = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


RULES = {rule["alert"]: rule for rule in _rules()}
PAGE_NAMES = sorted(path.stem for path in PAGES.glob("*.md") if path.stem != "README")


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        skip_or_fail("promtool, to test the rules of Prometheus: install Debian's package prometheus")
    return found


def _said_by(*command: str) -> tuple[int, str]:
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROMETHEUS, timeout=60)
    return ran.returncode, ran.stdout + ran.stderr


def test_every_alert_fires_when_it_should_and_not_before(promtool: str) -> None:
    code, said = _said_by(promtool, "test", "rules", "rules_test.yml")

    assert code == 0, said


def test_prometheus_takes_its_configuration_and_the_rules(promtool: str) -> None:
    code, said = _said_by(promtool, "check", "config", "prometheus.yml")

    assert code == 0, said


def test_every_alert_has_its_test() -> None:
    tests: Any = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]
    expected = {
        alert["alertname"] for test in tests for alert in test["alert_rule_test"] if alert.get("exp_alerts")
    }
    quiet = {
        alert["alertname"]
        for test in tests
        for alert in test["alert_rule_test"]
        if not alert.get("exp_alerts")
    }

    assert expected == set(RULES)
    assert quiet == set(RULES)


def test_every_alert_has_its_page_and_no_page_is_left_over() -> None:
    assert sorted(RULES) == PAGE_NAMES


def test_the_list_of_pages_names_them_all() -> None:
    listed = re.findall(r"\]\((\w+)\.md\)", (PAGES / "README.md").read_text())

    assert sorted(listed) == PAGE_NAMES


@pytest.mark.parametrize("alert", RULES)
def test_an_alert_names_its_page_and_how_bad_it_is(alert: str) -> None:
    rule = RULES[alert]

    assert rule["annotations"]["runbook"] == f"docs/operations/{alert}.md"
    assert rule["labels"]["severity"] in {"warning", "critical"}


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_a_page_tells_symptom_look_and_act(page: str) -> None:
    assert re.findall(r"^## (.+)$", (PAGES / f"{page}.md").read_text(), re.MULTILINE) == SECTIONS


def _pages() -> str:
    return "\n".join(path.read_text() for path in sorted(PAGES.glob("*.md")))


def test_the_pages_ask_only_for_routes_that_there_are() -> None:
    routers = (gateway.routes.events, gateway.routes.publish, gateway.routes.workers, gateway.routes.internal)
    routes = [route.path for module in routers for route in cast("list[APIRoute]", module.router.routes)]
    patterns = [re.compile(re.sub(r"\{\w+\}", "[^/]+", route)) for route in routes]

    asked = set(re.findall(r"(/v1/[^\s?\"'`)]*)", _pages()))

    assert asked
    assert {path for path in asked if not any(pattern.fullmatch(path) for pattern in patterns)} == set()


def test_the_pages_name_only_services_and_metrics_that_there_are() -> None:
    compose: Any = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    named = re.findall(
        r"docker compose (?:logs|restart|exec|up -d --scale|up -d|ps)(?: -\S+| --tail \d+)* ([a-z-]+)",
        _pages(),
    )
    metrics = set(re.findall(r"\bqueue_\w+", _pages()))
    code = (ROOT / "shared/src/shared/service/metrics").glob("*.py")
    exported = "".join(path.read_text() for path in code)

    assert named
    assert set(named) - set(compose["services"]) == set()
    assert {name for name in metrics if re.sub(r"_(total|bucket)$", "", name) not in exported} == set()
