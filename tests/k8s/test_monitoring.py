"""The component for the Prometheus operator: the rules of deploy/prometheus, and every service a target."""

import yaml

from support.manifests import ROOT, SERVICES, Rendered


def test_the_rules_are_those_of_prometheus(overlays: dict[str, Rendered]) -> None:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())

    assert overlays["production"].kind("PrometheusRule")["shop-queue"]["spec"] == rules, (
        "run deploy/k8s/components/monitoring/make-rules"
    )


def test_every_service_is_scraped_under_its_own_name(overlays: dict[str, Rendered]) -> None:
    rendered = overlays["production"]
    monitor = rendered.kind("ServiceMonitor")["shop-queue"]["spec"]
    (rule,) = monitor["selector"]["matchExpressions"]
    (endpoint,) = monitor["endpoints"]

    found = {
        name
        for name, each in rendered.kind("Service").items()
        if each["metadata"]["labels"].get(rule["key"]) in rule["values"]
        and endpoint["port"] in {port["name"] for port in each["spec"]["ports"]}
    }
    assert found == set(SERVICES)
    assert endpoint["path"] == "/metrics"
    # the operator's `job` is then the Service's name, as the rules have it
    assert "jobLabel" not in monitor
