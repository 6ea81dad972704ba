"""Renders every overlay once a run, from a fresh copy with secrets of its own."""

from pathlib import Path

import pytest

from support.manifests import OVERLAYS, Rendered, copy_tree, make_secrets, render


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `deploy/k8s` with the local overlay's secrets. Read it only."""
    tree = copy_tree(tmp_path_factory.mktemp("manifests") / "k8s")
    make_secrets(tree)
    return tree


@pytest.fixture(scope="session")
def overlays(tree: Path) -> dict[str, Rendered]:
    return {name: render(tree / "overlays" / name) for name in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def rendered(request: pytest.FixtureRequest, overlays: dict[str, Rendered]) -> Rendered:
    """Each overlay in turn."""
    return overlays[request.param]


@pytest.fixture
def local(overlays: dict[str, Rendered]) -> Rendered:
    return overlays["local"]
