"""Who may talk to whom: exactly the edges that the services need, seen from both of their ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.manifests import SERVICES, WORKERS, Rendered

HERE = "shop-queue"
PORTS = (53, 443, 587, 1025, 4318, 5432, 6379, 8000, 8001, 8002, 8003, 8004, 8010, 8025, 8443, 26379)


@dataclass(frozen=True)
class Peer:
    """A pod, as policies see it."""

    name: str
    labels: Mapping[str, str]
    namespace: str = HERE
    namespace_labels: Mapping[str, str] = field(default_factory=dict[str, str])


INGRESS = Peer("ingress", {"app.kubernetes.io/name": "ingress-nginx"}, "ingress-nginx")
PROMETHEUS = Peer("prometheus", {"app.kubernetes.io/name": "prometheus"}, "monitoring")
COLLECTOR = Peer("collector", {"app.kubernetes.io/name": "opentelemetry-collector"}, "monitoring")
KEDA = Peer("keda", {"app.kubernetes.io/name": "keda-operator"}, "keda")
DNS = Peer("dns", {"k8s-app": "kube-dns"}, "kube-system")
SHOP = Peer("shop", {"app": "shop"}, "shop", {"shop-queue/publishes": "true"})
STRANGER = Peer("stranger", {"app.kubernetes.io/name": "order-worker", "k8s-app": "kube-dns"}, "elsewhere")
OUTSIDERS = (INGRESS, PROMETHEUS, COLLECTOR, KEDA, DNS, SHOP, STRANGER)

Edge = tuple[str, str, int]


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    if selector is None:
        return False
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    for rule in selector.get("matchExpressions", []):
        assert rule["operator"] == "In"
        if labels.get(rule["key"]) not in rule["values"]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def is_meant(peers: list[dict[str, Any]], other: Peer) -> bool:
    """Whether one of the peers of a rule is `other`. Blocks of addresses mean no pod of a cluster."""
    labels = {"kubernetes.io/metadata.name": other.namespace, **other.namespace_labels}
    for peer in peers:
        if "ipBlock" in peer:
            continue
        same = (
            matches(peer["namespaceSelector"], labels)
            if "namespaceSelector" in peer
            else other.namespace == HERE
        )
        if same and ("podSelector" not in peer or matches(peer["podSelector"], other.labels)):
            return True
    return False


def opens(rule: dict[str, Any], port: int, protocol: str = "TCP") -> bool:
    return any(
        each["protocol"] == protocol and each["port"] <= port <= each.get("endPort", each["port"])
        for each in rule["ports"]
    )


def allows(policies: list[dict[str, Any]], here: Peer, other: Peer, port: int, *, way: str) -> bool:
    """Whether `here`, by the policies that select it, may be reached from (or reach) `other`."""
    if here.namespace != HERE:
        return True
    kind, peers = ("Ingress", "from") if way == "ingress" else ("Egress", "to")
    selecting = [
        each for each in policies if matches(each["podSelector"], here.labels) and kind in each["policyTypes"]
    ]
    assert selecting, f"{here.name}: nothing is denied by default"
    return any(
        opens(rule, port) and is_meant(rule[peers], other)
        for policy in selecting
        for rule in policy.get(way, [])
    )


def inside_of(rendered: Rendered) -> list[Peer]:
    return [
        Peer(owner.partition("/")[2], each["metadata"]["labels"]) for owner, each in rendered.pods().items()
    ]


def edges(rendered: Rendered) -> set[Edge]:
    """Every connection that is let through at both of its ends."""
    policies = [each["spec"] for each in rendered.kind("NetworkPolicy").values()]
    inside = inside_of(rendered)
    return {
        (source.name, target.name, port)
        for source in (*inside, *OUTSIDERS)
        for target in (*inside, *OUTSIDERS)
        if source is not target and HERE in {source.namespace, target.namespace}
        for port in PORTS
        if allows(policies, source, target, port, way="egress")
        and allows(policies, target, source, port, way="ingress")
    }


MIGRATIONS = tuple(f"migrate-{name}" for name in SERVICES)
AMONG_SERVICES: set[Edge] = {
    *((worker, "gateway", 8000) for worker in WORKERS),
    *(("gateway", worker, SERVICES[worker]) for worker in WORKERS),
    ("payment-worker", "order-worker", 8001),
    ("ingress", "gateway", 8000),
    ("shop", "gateway", 8000),
}
LOCAL: set[Edge] = {
    *((service, "redis", 6379) for service in SERVICES),
    *((name, "postgres", 5432) for name in (*SERVICES, *MIGRATIONS)),
    ("payment-worker", "payment-sandbox", 8010),
    ("notification-worker", "mail-catcher", 1025),
}
STAND_INS = ("redis", "postgres", "payment-sandbox", "mail-catcher")


def asks_for_names(*names: str) -> set[Edge]:
    return {(name, "dns", 53) for name in names}


def test_the_local_overlay_lets_through_what_is_needed_and_nothing_else(local: Rendered) -> None:
    wanted = AMONG_SERVICES | LOCAL | asks_for_names(*SERVICES, *MIGRATIONS, *STAND_INS)

    assert edges(local) == wanted


def test_neither_end_of_an_edge_is_open_without_the_other(rendered: Rendered) -> None:
    policies = [each["spec"] for each in rendered.kind("NetworkPolicy").values()]
    pairs = [
        (one, other, port) for one in inside_of(rendered) for other in inside_of(rendered) for port in PORTS
    ]

    leaving = {
        (one.name, other.name, port)
        for one, other, port in pairs
        if allows(policies, one, other, port, way="egress")
    }
    arriving = {
        (one.name, other.name, port)
        for one, other, port in pairs
        if allows(policies, other, one, port, way="ingress")
    }
    assert leaving == arriving


def test_production_adds_metrics_and_traces(overlays: dict[str, Rendered]) -> None:
    monitored = {
        *(("prometheus", service, port) for service, port in SERVICES.items()),
        *((service, "collector", 4318) for service in SERVICES),
    }
    found = edges(overlays["production"])

    assert found - AMONG_SERVICES - asks_for_names(*SERVICES, *MIGRATIONS) <= {
        *monitored,
        *(("prometheus", service, port) for service in SERVICES for port in range(8000, 8005)),
    }
    assert found >= AMONG_SERVICES
    assert monitored <= found


def test_dns_is_asked_by_udp_and_tcp(rendered: Rendered) -> None:
    (rule,) = rendered.kind("NetworkPolicy")["all-to-dns"]["spec"]["egress"]

    assert opens(rule, 53, "UDP")
    assert opens(rule, 53, "TCP")


def test_what_is_outside_is_reached_only_by_who_needs_it(overlays: dict[str, Rendered]) -> None:
    reached = {
        (name, block["ipBlock"]["cidr"], port["port"])
        for name, each in overlays["production"].kind("NetworkPolicy").items()
        for rule in each["spec"].get("egress", [])
        for block in rule["to"]
        if "ipBlock" in block
        for port in rule["ports"]
    }

    assert reached == {
        ("services-to-data", "10.20.0.0/16", 5432),
        ("services-to-data", "10.20.0.0/16", 6379),
        ("services-to-data", "10.20.0.0/16", 26379),
        ("migrations-to-postgres", "10.20.0.0/16", 5432),
        ("payment-worker-to-provider", "0.0.0.0/0", 443),
        ("notification-worker-to-mail", "0.0.0.0/0", 587),
    }


def test_the_ingress_shows_neither_metrics_nor_what_is_for_workers(overlays: dict[str, Rendered]) -> None:
    (rule,) = overlays["production"].kind("Ingress")["gateway"]["spec"]["rules"]
    paths = {each["path"] for each in rule["http"]["paths"]}

    assert "/v1" in paths
    assert not [path for path in paths if "/metrics".startswith(path) or "/internal".startswith(path)]
    assert rule["host"] in overlays["production"].environment("gateway")["ALLOWED_HOSTS"].split(",")
