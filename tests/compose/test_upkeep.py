"""An upgrade and a backup, as docs/deploy.md tells them."""

import re
from pathlib import Path

import pytest

from shared.events import SendEmail
from support.compose import MIGRATIONS, OURS, ROOT, Project
from support.compose_load import judge, mails, orders_coming_in, settle
from support.faults_client import Client, order

pytestmark = pytest.mark.timeout(1800)


def test_an_upgrade_migrates_beside_what_runs_and_loses_nothing_when_it_replaces_it(
    project: Project, client: Client
) -> None:
    before = {service: project.containers(service) for service in OURS}
    with orders_coming_in(client, "upgraded") as load:
        for migration in MIGRATIONS:
            project.compose("run", "--rm", "--no-deps", migration)
        assert {service: project.containers(service) for service in OURS} == before
        project.up(LOG_LEVEL="WARNING")  # what compose takes for another version of each of them

    assert not {each for all_ in before.values() for each in all_} & set(project.containers("gateway"))
    judge(project, client, load)
    project.up()


@pytest.fixture
def backup_and_return() -> list[str]:
    """The commands of the page: those that copy, and those that go back."""
    section = (ROOT / "docs/deploy.md").read_text().partition("## Backing up")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


def test_a_backup_brings_back_what_was_done_and_what_was_open(
    project: Project, tmp_path: Path, backup_and_return: list[str]
) -> None:
    copy, go_back = backup_and_return
    with project.client() as client:
        client.set_stock("kept", 10)
        client.publish(order("kept-1", kept=2))
        settle(client)
        done = client.order("kept-1")
        project.compose("stop", "notification-worker")
        waiting = client.publish(SendEmail(to="ada@example.com", subject="kept-late", text="Hello."))
    project.shell(copy, tmp_path)
    project.shell(go_back, tmp_path)

    with project.client() as client:
        settle(client)
        assert client.stock("kept")["reserved"] == 2
        assert client.order("kept-1") == done
        assert client.event(waiting)["status"] == "completed"
        assert mails(project, "kept-late") == {"kept-late": 1}
        client.publish(order("kept-2", kept=1))
        settle(client)
        assert client.stock("kept")["reserved"] == 3
