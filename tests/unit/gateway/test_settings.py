import pytest
from pydantic import ValidationError

from gateway.settings import Settings

NEEDED = {"DATABASE_URL": "sqlite:///x.db", "QUEUE_SERVICE_KEY": "a-service-key-of-these-tests"}


def test_only_workers_with_an_address_are_known() -> None:
    settings = Settings.model_validate({**NEEDED, "ORDER_WORKER_URL": "http://127.0.0.1:8001"})

    assert settings.workers == {"order-worker": "http://127.0.0.1:8001"}


def test_hosts_are_separated_by_commas() -> None:
    assert Settings.model_validate({**NEEDED, "ALLOWED_HOSTS": "a.example, b.example,"}).hosts == (
        "a.example",
        "b.example",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"GATEWAY_PORT": "eighty"},
        {"GATEWAY_PORT": "0"},
        {"QUEUE_ADMIN_KEY": "short"},
        {"ORDER_WORKER_URL": "order-worker:8001"},
        {"ORDER_WORKER_URL": "http://order-worker/path"},
    ],
)
def test_a_bad_setting_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({**NEEDED, **wrong})
