import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
PROJECTS = [
    ROOT / "shared" / "pyproject.toml",
    *sorted((ROOT / "services").glob("*/pyproject.toml")),
    *sorted((ROOT / "deploy").glob("*/pyproject.toml")),
]


def project(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())["project"]


VERSION = project(ROOT / "pyproject.toml")["version"]


def test_every_member_has_the_version_of_the_whole() -> None:
    assert {path.parent.name: project(path)["version"] for path in PROJECTS} == {
        path.parent.name: VERSION for path in PROJECTS
    }


def test_the_lock_has_it_too() -> None:
    names = {project(path)["name"] for path in PROJECTS}
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]

    assert {package["version"] for package in locked if package["name"] in names} == {VERSION}


def test_production_runs_the_images_of_this_version() -> None:
    overlay = ROOT / "deploy" / "k8s" / "overlays" / "production" / "kustomization.yaml"

    assert {image["newTag"] for image in yaml.safe_load(overlay.read_text())["images"]} == {VERSION}


def test_the_changelog_begins_with_this_version() -> None:
    titles = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)

    assert re.fullmatch(rf"{re.escape(VERSION)}, (\d{{4}}-\d\d-\d\d|not released yet)", titles[0])


def test_only_the_newest_version_may_be_unreleased() -> None:
    titles = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)

    assert [title for title in titles[1:] if not re.fullmatch(r"\d+\.\d+\.\d+, \d{4}-\d\d-\d\d", title)] == []
