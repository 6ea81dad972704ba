"""The autoscalers: they watch the streams that the workers read, and take away no worker that is at work."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.queue.keys import GROUP, QueueKeys
from support.manifests import ROOT, SERVICES, WORKERS, Rendered

POOL_BEYOND_CONCURRENCY = 5
"""Connections that a worker keeps beside those of its handlers: `pool_size` in shared.service.worker."""
PROBE = 1
"""And one for `/readyz`, which waits in no queue."""
SUPERUSERS = 3
"""`superuser_reserved_connections`."""

QUEUE_OF = {
    "order-worker": "orders",
    "payment-worker": "payments",
    "inventory-worker": "inventory",
    "notification-worker": "notifications",
}


def drain(rendered: Rendered, worker: str) -> int:
    return rendered.kind("Deployment")[worker]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]


def is_gentle(behavior: dict[str, Any], seconds: int) -> bool:
    """Whether it takes away one at a time, and the next only when that one has had time to drain."""
    down = behavior["scaleDown"]
    return down["stabilizationWindowSeconds"] >= 60 and all(
        policy["type"] == "Pods" and policy["value"] == 1 and policy["periodSeconds"] > seconds
        for policy in down["policies"]
    )


@pytest.mark.parametrize("worker", WORKERS)
def test_keda_watches_what_waits_and_what_is_in_hand_on_every_lane(
    overlays: dict[str, Rendered], worker: str
) -> None:
    scaled = overlays["production"].kind("ScaledObject")[worker]["spec"]
    watched = {
        (trigger["metadata"]["stream"], measure)
        for trigger in scaled["triggers"]
        for measure in ("streamLength", "lagCount", "pendingEntriesCount")
        if measure in trigger["metadata"]
    }

    lanes = QueueKeys(QUEUE_OF[worker]).lanes
    assert watched == {
        (lane, measure) for lane in lanes for measure in ("streamLength", "pendingEntriesCount")
    }
    groups = {trigger["metadata"].get("consumerGroup") for trigger in scaled["triggers"]}
    assert groups == {None, GROUP}
    assert scaled["scaleTargetRef"] == {"name": worker}


@pytest.mark.parametrize("worker", WORKERS)
def test_keda_keeps_one_worker_and_lets_the_others_drain(overlays: dict[str, Rendered], worker: str) -> None:
    rendered = overlays["production"]
    scaled = rendered.kind("ScaledObject")[worker]["spec"]

    assert scaled["minReplicaCount"] == 1
    assert is_gentle(scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"], drain(rendered, worker))
    in_hand = {each["metadata"].get("pendingEntriesCount") for each in scaled["triggers"]} - {None}
    assert in_hand == {rendered.settings()["QUEUE_CONCURRENCY"]}


def test_keda_logs_in_as_a_user_with_a_secret_and_tls_in_production(overlays: dict[str, Rendered]) -> None:
    rendered = overlays["production"]
    wanted = rendered.kind("TriggerAuthentication")["redis"]["spec"]["secretTargetRef"]
    made = rendered.kind("ExternalSecret")["redis-scaler"]["spec"]["data"]

    assert {each["key"] for each in wanted} == {each["secretKey"] for each in made}
    # without a user it would be `default`, whom users.acl lets do nothing
    assert {each["parameter"] for each in wanted} == {"addresses", "username", "password"}
    for scaled in rendered.kind("ScaledObject").values():
        for trigger in scaled["spec"]["triggers"]:
            assert trigger["authenticationRef"] == {"name": "redis"}
            assert trigger["metadata"]["enableTLS"] == "true"


def test_keda_and_the_sentinels_have_one_name_for_the_primary(overlays: dict[str, Rendered]) -> None:
    conf = (ROOT / "deploy/redis/sentinel.conf").read_text()
    (monitored,) = re.findall(r"^sentinel monitor (\S+) ", conf, re.MULTILINE)

    for scaled in overlays["production"].kind("ScaledObject").values():
        assert {each["metadata"]["sentinelMaster"] for each in scaled["spec"]["triggers"]} == {monitored}


def test_the_local_secret_of_the_scaler_has_what_keda_asks_for(
    overlays: dict[str, Rendered], tree: Path
) -> None:
    asked = yaml.safe_load_all((tree / "components/keda/redis.yaml").read_text())
    keys = {each["key"] for each in next(asked)["spec"]["secretTargetRef"]}

    assert set(overlays["local"].kind("Secret")["redis-scaler"]["data"]) == keys


def test_postgres_has_a_connection_for_all_that_the_hpa_may_start(overlays: dict[str, Rendered]) -> None:
    rendered = overlays["local-hpa"]
    processes = sum(
        spec.get("replicas", 1) + spec["strategy"]["rollingUpdate"]["maxSurge"]
        for name, each in rendered.kind("Deployment").items()
        if name in SERVICES
        for spec in [each["spec"]]
    ) + sum(each["spec"]["maxReplicas"] - 1 for each in rendered.kind("HorizontalPodAutoscaler").values())
    (container,) = rendered.kind("StatefulSet")["postgres"]["spec"]["template"]["spec"]["containers"]
    (most,) = [int(each.partition("=")[2]) for each in container["args"] if "max_connections" in each]

    each_takes = int(rendered.settings()["QUEUE_CONCURRENCY"]) + POOL_BEYOND_CONCURRENCY + PROBE
    assert most - SUPERUSERS >= processes * each_takes


@pytest.mark.parametrize("worker", WORKERS)
def test_the_hpa_measures_cpu_and_lets_workers_drain(overlays: dict[str, Rendered], worker: str) -> None:
    rendered = overlays["local-hpa"]
    spec = rendered.kind("HorizontalPodAutoscaler")[worker]["spec"]

    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": worker}
    assert spec["minReplicas"] == 1
    assert spec["maxReplicas"] > 1
    assert [metric["resource"]["name"] for metric in spec["metrics"]] == ["cpu"]
    assert is_gentle(spec["behavior"], drain(rendered, worker))


def test_a_deployment_has_one_autoscaler_at_most(rendered: Rendered) -> None:
    by_cpu = set(rendered.kind("HorizontalPodAutoscaler"))
    by_queue = set(rendered.kind("ScaledObject"))

    assert not by_cpu & by_queue
    assert by_cpu | by_queue <= set(SERVICES)
