"""Settings are read from the environment, from files and from `.env`, and mistakes are told in one line."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from shared.service.settings import SettingsError, WorkerSettings, load

KEY = "0123456789abcdef"


class Settings(WorkerSettings):
    name: ClassVar[str] = "order-worker"

    port: int = Field(8001, alias="ORDER_WORKER_PORT", ge=1, le=65535)


@pytest.fixture(autouse=True)
def _least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:////tmp/x.db")
    monkeypatch.setenv("QUEUE_SERVICE_KEY", KEY)


@pytest.fixture
def complaints(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """The lines that a start with these settings prints before it ends."""

    def start() -> list[str]:
        with pytest.raises(SettingsError) as caught:
            load(Settings)
        assert caught.value.code == 2
        return capsys.readouterr().err.splitlines()

    return start


def test_the_defaults_need_two_values_only() -> None:
    settings = load(Settings)

    assert (settings.port, settings.concurrency, settings.workers_enabled) == (8001, 5, True)
    assert (settings.lease, settings.grace) == (timedelta(seconds=6), timedelta(seconds=15))
    assert settings.redis_url == "redis://localhost:6379/0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORDER_WORKER_PORT", "seven"),
        ("ORDER_WORKER_PORT", "70000"),
        ("QUEUE_CONCURRENCY", "0"),
        ("QUEUE_LEASE_SECONDS", "0.1"),
        ("QUEUE_WORKERS_ENABLED", "perhaps"),
        ("REDIS_URL", "http://localhost"),
        ("GATEWAY_URL", "localhost:8000"),
        ("LOG_FORMAT", "xml"),
        ("QUEUE_SERVICE_KEY", "short"),
    ],
)
def test_a_wrong_value_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, complaints: Callable[[], list[str]], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    (line,) = complaints()
    assert line.startswith(f"order-worker: {name}: ")


def test_a_missing_value_is_named(
    monkeypatch: pytest.MonkeyPatch, complaints: Callable[[], list[str]]
) -> None:
    monkeypatch.delenv("DATABASE_URL")

    assert complaints() == ["order-worker: DATABASE_URL: Field required"]


def test_every_mistake_has_its_line_and_no_line_a_value(
    monkeypatch: pytest.MonkeyPatch, complaints: Callable[[], list[str]]
) -> None:
    monkeypatch.setenv("QUEUE_SERVICE_KEY", "s3cret")
    monkeypatch.setenv("QUEUE_CONCURRENCY", "s3cret")

    told = complaints()

    assert len(told) == 2
    assert "s3cret" not in "".join(told)


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file-0123456789\n")
    monkeypatch.delenv("QUEUE_SERVICE_KEY")
    monkeypatch.setenv("QUEUE_SERVICE_KEY_FILE", str(tmp_path / "key"))

    assert load(Settings).service_key.get_secret_value() == "from-a-file-0123456789"


def test_a_file_that_is_not_there_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(tmp_path / "missing"))

    with pytest.raises(SystemExit, match=r"REDIS_PASSWORD_FILE: .*missing: No such file"):
        load(Settings)


def test_the_environment_wins_over_a_file_and_a_file_over_dotenv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path(".env").write_text("REDIS_PASSWORD=dotenv\nREDIS_HOST=from-dotenv\nREDIS_PORT=1\n")
    (tmp_path / "password").write_text("file")
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("REDIS_PORT", "2")

    assert load(Settings).redis_url == "redis://:file@from-dotenv:2/0"


def test_an_empty_value_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "")
    monkeypatch.setenv("QUEUE_CONCURRENCY", "")

    assert load(Settings).concurrency == 5
    assert load(Settings).redis_url == "redis://localhost:6379/0"


def test_the_url_of_redis_wins_over_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "rediss://elsewhere:6380/1")
    monkeypatch.setenv("REDIS_HOST", "ignored")

    assert load(Settings).redis_url == "rediss://elsewhere:6380/1"


def test_a_password_of_redis_may_hold_any_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "p@ss:w/rd#?%")

    assert load(Settings).redis_url == "redis://:p%40ss%3Aw%2Frd%23%3F%25@localhost:6379/0"


def test_no_secret_shows_in_the_settings_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "s3cret")

    assert "s3cret" not in repr(load(Settings))
    assert KEY not in repr(load(Settings))


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(Settings).concurrency = 7  # type: ignore[misc] it is frozen


PROGRAM = """
from typing import ClassVar
from shared.service.settings import WorkerSettings, load

class Settings(WorkerSettings):
    name: ClassVar[str] = "order-worker"

load(Settings)
"""


def test_a_mistake_ends_the_process_with_status_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")

    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)

    assert ended.stderr == "order-worker: DATABASE_URL: Field required\n"
    assert ended.returncode == 2
