"""wait.py: a service starts once its tables are there, a migration once its database answers."""

from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from shared.store.migrate import migrate
from support.manifests import K8S


@pytest.fixture(scope="module")
def waiting() -> Any:
    spec = spec_from_file_location("wait", K8S / "base" / "wait.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'orders.db'}"


def set_revision(url: str, revision: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()


def test_an_empty_database_has_no_tables(waiting: Any, url: str) -> None:
    assert waiting.answers(url, "order_worker")
    assert not waiting.has_tables(url, "order_worker")


def test_a_migrated_database_has_its_tables(waiting: Any, url: str) -> None:
    migrate(url, "order_worker")

    assert waiting.has_tables(url, "order_worker")


def test_a_newer_database_will_do_so_that_an_old_pod_can_start_in_the_middle_of_a_rollout(
    waiting: Any, url: str
) -> None:
    migrate(url, "order_worker")
    set_revision(url, "of a later release")

    assert waiting.has_tables(url, "order_worker")


def test_an_older_database_will_not(
    waiting: Any, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = tmp_path / "service_of_two_releases" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions.parent.parent / "__init__.py").touch()
    (versions.parent / "env.py").touch()
    for revision, before in (("one", None), ("two", "one")):
        (versions / f"{revision}.py").write_text(f"revision = {revision!r}\ndown_revision = {before!r}\n")
    monkeypatch.syspath_prepend(tmp_path)
    migrate(url, "order_worker")

    set_revision(url, "one")
    assert not waiting.has_tables(url, "service_of_two_releases")

    set_revision(url, "two")
    assert waiting.has_tables(url, "service_of_two_releases")


def test_it_waits_as_long_as_it_takes_and_says_each_trouble_once(
    waiting: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: Iterator[bool | Exception] = iter(
        [OperationalError("", None, Exception()), OperationalError("", None, Exception()), False, False, True]
    )

    def is_there(*_: str) -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    waiting.wait(is_there, "sqlite://", "order_worker", every=0)

    assert capsys.readouterr().out.splitlines() == [
        "order_worker waits: its database does not answer: OperationalError",
        "order_worker waits: its database is not migrated yet",
    ]
