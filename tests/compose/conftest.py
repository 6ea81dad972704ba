"""One build for all tests here, and one project for all that can share it."""

from collections.abc import Iterator

import pytest

from support.compose import Project, build_images, forget_images, need_engine
from support.faults_client import Client


@pytest.fixture(scope="session")
def images() -> Iterator[None]:
    need_engine()
    build_images()
    yield
    forget_images()


@pytest.fixture(scope="session")
def project(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """All services, healthy. A test that stops or scales something puts it back."""
    with Project(tmp_path_factory.mktemp("compose")) as project:
        project.up()
        yield project


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    with project.client() as client:
        yield client
