from pathlib import Path

import pytest

from local_start.errors import BadSettingError
from local_start.services import Service
from local_start.settings import Settings, read, read_ports


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_a_word_the_start_brings_its_own_valkey() -> None:
    settings = read(Settings)

    assert settings.external_redis is None
    assert settings.workers_enabled
    assert settings.valkey_port == 6380


def test_an_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("QUEUE_REDIS_PORT=7000\nQUEUE_GRACE_SECONDS=4\n")
    monkeypatch.setenv("QUEUE_REDIS_PORT", "7001")

    settings = read(Settings)

    assert (settings.valkey_port, settings.grace_seconds) == (7001, 4)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"REDIS_HOST": "cache"}, "redis://cache:6379/0"),
        ({"REDIS_HOST": "::1", "REDIS_PORT": "1"}, "redis://[::1]:1/0"),
        ({"REDIS_HOST": "cache", "REDIS_PASSWORD": "a/b@c"}, "redis://:a%2Fb%40c@cache:6379/0"),
        ({"REDIS_HOST": "cache", "REDIS_URL": "rediss://other:1/2"}, "rediss://other:1/2"),
        ({"REDIS_HOST": ""}, None),
    ],
)
def test_redis_url_wins_over_the_parts_of_one(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], url: str | None
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert read(Settings).external_redis == url


def test_the_password_of_redis_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("password").write_text("s3cret\n")
    monkeypatch.setenv("REDIS_HOST", "cache")
    monkeypatch.setenv("REDIS_PASSWORD_FILE", "password")

    assert read(Settings).external_redis == "redis://:s3cret@cache:6379/0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUEUE_WORKERS_ENABLED", "ture"),
        ("QUEUE_CONCURRENCY", "5.5"),
        ("QUEUE_CONCURRENCY", "0"),
        ("QUEUE_GRACE_SECONDS", "nan"),
        ("QUEUE_GRACE_SECONDS", "-1"),
        ("QUEUE_REDIS_PORT", "65536"),
        ("REDIS_PORT", "six"),
    ],
)
def test_a_bad_value_is_one_line_with_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(BadSettingError, match=f"^{name} .+$"):
        read(Settings)


def test_a_bad_redis_url_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "http://:hunter2@cache")

    with pytest.raises(BadSettingError) as raised:
        read(Settings)

    assert "hunter2" not in str(raised.value)


def test_an_env_file_that_is_no_text_is_one_line() -> None:
    Path(".env").write_bytes(b"\xff\xfe")

    with pytest.raises(BadSettingError, match=r"^\.env cannot be read"):
        read(Settings)


def test_each_service_has_a_port_that_its_own_variable_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATE_WORKER_PORT", "9001")

    ports = read_ports([Service("early_worker", 8101), Service("late_worker", 8102)])

    assert ports == {"early_worker": 8101, "late_worker": 9001}


def test_a_bad_port_of_a_service_is_one_line_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATE_WORKER_PORT", "high")

    with pytest.raises(
        BadSettingError, match=r"^LATE_WORKER_PORT should be a valid integer \(it is 'high'\)$"
    ):
        read_ports([Service("late_worker", 8102)])
