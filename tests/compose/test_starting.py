"""How a start refuses, what it does without its workers, and that Valkey does what Redis does."""

import os
import subprocess
from pathlib import Path

import pytest

from support.compose import ROOT, WORKERS, Project, need_engine
from support.compose_load import judge, orders_coming_in, settle
from support.faults_client import order

pytestmark = pytest.mark.timeout(1800)


def test_a_start_without_secrets_says_how_they_are_made(tmp_path: Path) -> None:
    need_engine()
    elsewhere = {name: value for name, value in os.environ.items() if name != "QUEUE_SECRETS_DIR"}
    refused = subprocess.run(
        ["docker", "compose", "--file", ROOT / "docker-compose.yml", "--env-file", "/dev/null", "up"],
        check=False,
        capture_output=True,
        text=True,
        env=elsewhere,
    )

    assert refused.returncode != 0
    assert refused.stderr.strip().endswith("there are no secrets yet. Make them once with: make secrets")
    assert "\n" not in refused.stderr.strip()


@pytest.fixture(scope="module")
def on_valkey(images: None, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A second project, not started."""
    return Project(tmp_path_factory.mktemp("valkey"), REDIS_IMAGE="valkey/valkey:8.1", REDIS_USER="valkey")


def test_on_valkey_the_api_alone_takes_orders_and_workers_that_come_later_work_them_off(
    on_valkey: Project,
) -> None:
    with on_valkey as project:
        project.up(QUEUE_WORKERS_ENABLED="false")
        with project.client() as client:
            services = client.get("/health")["services"]
            assert {services[name]["status"] for name in WORKERS} == {"disabled"}
            waiting = client.publish(order("early", mug=1))
            assert client.event(waiting)["status"] == "waiting"

        project.up()
        with project.client() as client:
            settle(client)
            assert client.event(waiting)["status"] == "completed"
            with orders_coming_in(client, "valkey") as load:
                project.compose("kill", "--signal", "KILL", "redis")
                project.compose("start", "redis")
                project.wait_until_healthy("redis")
            judge(project, client, load)
            assert "valkey" in project.inspect(project.containers("redis")[0])["Config"]["Image"]


def test_what_was_taken_down_is_gone(on_valkey: Project) -> None:
    assert on_valkey.left() == []
