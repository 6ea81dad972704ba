"""The pods: what the restricted level of pod security wants and more, and a stop that is long enough."""

from typing import Any

from support.manifests import ROOT, SERVICES, Rendered

UVICORN_SECONDS = 5
"""`timeout_graceful_shutdown` in shared.service.app."""
TO_CLOSE_SECONDS = 10
"""To hand back what was fetched, and to close what is open."""


def test_the_namespace_enforces_the_restricted_level(rendered: Rendered) -> None:
    labels = rendered.kind("Namespace")["shop-queue"]["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_pod_keeps_to_the_restricted_level(rendered: Rendered) -> None:
    for owner, spec, container in rendered.containers():
        pod, own = spec["securityContext"], container["securityContext"]
        assert pod["runAsNonRoot"] is True, owner
        assert pod["runAsUser"] == pod["runAsGroup"] == 10001, owner
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, owner
        assert own == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, owner
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), owner
        assert all("hostPath" not in volume for volume in spec["volumes"]), owner


def test_every_pod_can_write_where_it_has_to_and_read_its_secrets(rendered: Rendered) -> None:
    for owner, spec, container in rendered.containers():
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}, owner  # noqa: S108 the path in the container
        for volume in spec["volumes"]:
            assert volume.get("emptyDir", {"sizeLimit": ""}).keys() == {"sizeLimit"}, owner
            if "secret" in volume:
                assert volume["secret"]["defaultMode"] == 0o440, owner
                assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"], owner


def test_no_pod_has_a_token_or_the_variables_of_service_links(rendered: Rendered) -> None:
    for owner, template in rendered.pods().items():
        assert template["spec"]["automountServiceAccountToken"] is False, owner
        # ORDER_WORKER_PORT=tcp://… would be taken for the worker's own port
        assert template["spec"]["enableServiceLinks"] is False, owner


def test_every_container_says_what_it_takes(rendered: Rendered) -> None:
    for owner, _, container in rendered.containers():
        resources = container["resources"]
        assert set(resources["requests"]) == set(resources["limits"]) == {"cpu", "memory"}, owner


def test_all_of_it_fits_on_a_node_with_two_cores_in_a_rolling_update_too(local: Rendered) -> None:
    def asks_for(template: dict[str, Any]) -> int:
        def millicores(containers: list[dict[str, Any]]) -> list[int]:
            return [int(each["resources"]["requests"]["cpu"].removesuffix("m")) for each in containers]

        spec = template["spec"]
        return max(sum(millicores(spec["containers"])), *millicores(spec.get("initContainers", [])), 0)

    copies = {f"Deployment/{service}": 2 for service in SERVICES}  # the old pod and the new one
    total = sum(asks_for(template) * copies.get(owner, 1) for owner, template in local.pods().items())

    # the other half is what the cluster itself asks for; who finds no room waits, an update for ever
    assert total <= 1000


def test_a_stopping_service_has_time_for_all_that_it_does(rendered: Rendered) -> None:
    drain = float(rendered.settings()["QUEUE_GRACE_SECONDS"])
    for service in SERVICES:
        spec = rendered.kind("Deployment")[service]["spec"]["template"]["spec"]
        farewell = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1]
        # the first process is the service itself: no shell, no init between
        dockerfile = (ROOT / "services" / service / "Dockerfile").read_text()
        assert f'ENTRYPOINT ["python", "-m", "{service.replace("-", "_")}"]' in dockerfile
        told, _, pause = farewell.partition("; sleep ")
        assert told == "kill -USR1 1"
        assert (
            spec["terminationGracePeriodSeconds"] >= float(pause) + UVICORN_SECONDS + drain + TO_CLOSE_SECONDS
        )


def test_a_new_pod_is_ready_before_an_old_one_stops_with_one_replica_too(rendered: Rendered) -> None:
    budgets = rendered.kind("PodDisruptionBudget")
    for service in SERVICES:
        deployment = rendered.kind("Deployment")[service]["spec"]
        # without the type, which is the default, each apply would find something to change
        assert deployment["strategy"]["type"] == "RollingUpdate"
        assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        assert budgets[service]["spec"]["maxUnavailable"] == 1
        assert budgets[service]["spec"]["selector"] == deployment["selector"]


def test_replicas_are_spread_over_nodes_and_zones_but_start_anyway(rendered: Rendered) -> None:
    for service in SERVICES:
        spreads = rendered.kind("Deployment")[service]["spec"]["template"]["spec"][
            "topologySpreadConstraints"
        ]
        assert [each["topologyKey"] for each in spreads] == [
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
        ]
        assert {each["whenUnsatisfiable"] for each in spreads} == {"ScheduleAnyway"}
        assert all("app.kubernetes.io/name" in each["matchLabelKeys"] for each in spreads)


def test_liveness_is_patient_and_asks_only_the_process(rendered: Rendered) -> None:
    for service in SERVICES:
        (container,) = rendered.kind("Deployment")[service]["spec"]["template"]["spec"]["containers"]
        liveness = container["livenessProbe"]
        assert liveness["httpGet"]["path"] == "/livez"
        assert liveness["periodSeconds"] * liveness["failureThreshold"] >= 60
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["readinessProbe"]["timeoutSeconds"] > 2, "what /readyz asks has two seconds"


def test_each_service_waits_for_its_tables_and_each_migration_for_its_database(rendered: Rendered) -> None:
    def waits(spec: dict[str, Any]) -> str:
        (first,) = spec["initContainers"]
        return " ".join(first["command"])

    for service in SERVICES:
        module = service.replace("-", "_")
        deployment = rendered.kind("Deployment")[service]["spec"]["template"]["spec"]
        job = rendered.kind("Job")[f"migrate-{service}"]["spec"]["template"]["spec"]
        assert f"python /opt/wait/wait.py {module} tables" in waits(deployment)
        assert waits(job) == f"python /opt/wait/wait.py {module} database"
        assert job["containers"][0]["command"] == ["python", "-m", module, "migrate"]


def test_notification_worker_starts_with_its_templates(rendered: Rendered) -> None:
    (first,) = rendered.kind("Deployment")["notification-worker"]["spec"]["template"]["spec"][
        "initContainers"
    ]

    assert first["command"][-1].endswith("; exec python -m notification_worker seed-templates")
