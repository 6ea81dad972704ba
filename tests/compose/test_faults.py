"""Containers that are killed and restarted while orders come in: nothing is lost, nothing doubled."""

import pytest

from support.compose import OURS, Project
from support.compose_load import judge, orders_coming_in
from support.faults_client import Client

pytestmark = pytest.mark.timeout(1800)


def test_each_service_may_be_killed_and_comes_back_by_itself(project: Project, client: Client) -> None:
    with orders_coming_in(client, "killed") as load:
        for service in OURS:
            project.crash(project.containers(service)[0])
        for service in OURS:
            project.wait_until_healthy(service)

    judge(project, client, load)


@pytest.mark.parametrize("server", ["redis", "postgres"])
def test_a_server_may_be_killed_and_restarted(project: Project, client: Client, server: str) -> None:
    with orders_coming_in(client, server) as load:
        project.compose("kill", "--signal", "KILL", server)
        project.compose("start", server)
        project.wait_until_healthy(server)
        project.compose("restart", server)
        project.wait_until_healthy(server)

    judge(project, client, load)
    for service in OURS:
        project.wait_until_healthy(service)


def test_a_password_of_a_database_is_changed_as_docs_deploy_says(project: Project, client: Client) -> None:
    before = project.secret("order-worker-database-url")
    with orders_coming_in(client, "rotated") as load:
        project.forget_secret("order-worker-database-url")
        project.compose("restart", "postgres")
        project.wait_until_healthy("postgres")
        project.compose("exec", "--user", "postgres", "postgres", "/docker-entrypoint-initdb.d/databases.sh")
        project.compose("restart", "order-worker")
        project.wait_until_healthy("order-worker")

    judge(project, client, load)
    assert project.secret("order-worker-database-url") != before
