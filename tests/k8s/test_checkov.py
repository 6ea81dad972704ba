"""checkov finds nothing but what is explained here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.manifests import Rendered, install

EXPLAINED = {
    "CKV_K8S_15": "pull policy Always: a side-loaded image is nowhere else, a released tag never changes, and"
    " no start should need the registry",
    "CKV_K8S_43": "digests: an image has none before it is pushed; docs/kubernetes.md tells where they go",
}


@pytest.fixture(scope="session")
def checkov() -> Path:
    uv = Path(sys.executable).with_name("uv")
    folder = install(
        "checkov",
        [uv, "sync", "--frozen", "--quiet"],
        needed=Path(".venv/bin/checkov"),
        environment={"UV_PROJECT_ENVIRONMENT": ".venv", "VIRTUAL_ENV": ""},
    )
    return folder / ".venv/bin/checkov"


@pytest.mark.timeout(400)  # a busy machine needs as long for its start
def test_no_finding_is_unexplained_and_no_explanation_without_a_finding(
    overlays: dict[str, Rendered], checkov: Path, tmp_path: Path
) -> None:
    for name in ("local-hpa", "production"):  # local-hpa is local and more
        (tmp_path / f"{name}.yaml").write_text(overlays[name].text)
    arguments = [
        "--directory",
        tmp_path,
        "--framework",
        "kubernetes",
        "--skip-download",
        "--quiet",
        "--output",
        "json",
    ]

    done = subprocess.run([checkov, *arguments], check=False, capture_output=True, text=True)

    report = json.loads(done.stdout)
    failed = report["results"]["failed_checks"]
    unexplained = [
        f"{each['check_id']} {each['resource']}: {each['check_name']}"
        for each in failed
        if each["check_id"] not in EXPLAINED
    ]
    assert unexplained == []
    assert {each["check_id"] for each in failed} == set(EXPLAINED)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 1000
