"""Rules and dashboards ask for what the services export, and for nothing else."""

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from observability.conftest import Watched
from shared.service.metrics.counting import OUTCOMES
from support.missing import skip_or_fail
from support.promql import named_in

pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).parents[2]
SERVICES = ("gateway", "order-worker", "payment-worker", "inventory-worker", "notification-worker")
PROMETHEUS_OWN = {
    "up": {"job", "instance"},
    "ALERTS": {"alertname", "alertstate", "severity"},
}
"""What Prometheus makes itself, and the labels that it puts on everything."""
ADDED = {"job", "instance"}
MADE_BY_RULES = {"severity"}


def _expressions() -> Iterator[tuple[str, str]]:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield f"rule {rule['alert']}", rule["expr"]
    for path in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")):
        board: Any = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.stem} {panel['id']}{target['refId']}, {panel['title']}", target["expr"]
        for variable in board["templating"]["list"]:
            found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
            assert found, variable
            yield f"{path.stem}, ${variable['name']}", f"count by ({found[2]}) ({found[1]})"


EXPRESSIONS = dict(_expressions())
"""By where each stands."""


@pytest.fixture(scope="session")
def exported(watched: Watched) -> dict[str, set[str]]:
    """The labels of each metric that some service exports now."""
    labels: dict[str, set[str]] = defaultdict(set)
    for service in SERVICES:
        for family in watched.scrape(service).values():
            for sample in family.samples:
                labels[sample.name] |= {*sample.labels, *ADDED}
    return labels | PROMETHEUS_OWN


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_an_expression_names_only_metrics_and_labels_that_are_exported(
    where: str, exported: dict[str, set[str]]
) -> None:
    named = named_in(EXPRESSIONS[where])

    unknown = named.metrics - set(exported)
    assert not unknown
    assert named.metrics
    known = set[str]().union(*(exported[metric] for metric in named.metrics))
    assert not named.labels - known
    assert not {(metric, label) for metric, label, _ in named.matchers if label not in exported[metric]}


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_an_expression_looks_for_values_that_there_are(where: str) -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "services").glob("*/src/**/*.py"))
    values: dict[str, set[str]] = {"outcome": set(OUTCOMES), "need": {"provider", "smtp"}}

    for _, label, value in named_in(EXPRESSIONS[where]).matchers:
        for one in value.split("|"):
            assert label not in values or one in values[label]
            assert label != "reason" or f'"{one}"' in code
            assert label != "job" or one in SERVICES


def test_every_metric_of_ours_has_a_place_on_a_dashboard_or_in_a_rule(watched: Watched) -> None:
    named = set[str]().union(*(named_in(expression).metrics for expression in EXPRESSIONS.values()))
    shown = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in named}

    ours = {name for service in SERVICES for name in watched.scrape(service) if name.startswith("queue_")}

    assert ours - shown == set()


def test_the_panels_of_a_dashboard_do_not_lie_on_each_other() -> None:
    for path in (ROOT / "deploy/grafana/dashboards").glob("*.json"):
        taken: dict[tuple[int, int], str] = {}
        board: Any = json.loads(path.read_text())
        for panel in board["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    other = taken.setdefault((x, y), panel["title"])
                    assert other == panel["title"], f"{path.stem}: {other} and {panel['title']}"


def test_no_label_holds_an_id(watched: Watched) -> None:
    ids = set(watched.ids.values())

    for service in SERVICES:
        families = watched.scrape(service).values()
        values = {value for f in families for sample in f.samples for value in sample.labels.values()}
        assert not {value for value in values if value in ids or "one" in value.split("/")}


def test_prometheus_understands_every_expression(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        skip_or_fail("promtool, to read the dashboards' expressions: install Debian's package prometheus")
    rules = [
        {"record": f"expression_{number}", "expr": re.sub(r"\$__rate_interval", "1m", expression)}
        for number, expression in enumerate(EXPRESSIONS.values())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))

    ran = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr


def test_none_of_them_was_left_out() -> None:
    assert len(EXPRESSIONS) == len(list(_expressions()))
