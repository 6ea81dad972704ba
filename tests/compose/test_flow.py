"""A shop on the containers, over HTTP as its own code would use them."""

import pytest

from shared.events import OrderShipped, PaymentAuthorized
from support.compose import OURS, WORKERS, Project
from support.compose_load import captures, mails, settle
from support.faults_client import Client, order

pytestmark = pytest.mark.timeout(1800)  # the first of them waits for the images


def test_every_service_is_there_and_well(client: Client) -> None:
    health = client.get("/health")

    assert health["status"] == "ok"
    assert {name: part["status"] for name, part in health["services"].items()} == dict.fromkeys(OURS, "ok")


def test_an_order_is_paid_and_shipped_and_its_customer_hears_of_each_step(
    project: Project, client: Client
) -> None:
    client.set_stock("mug", 10)
    client.publish(order("mug-1", mug=2))
    paid = PaymentAuthorized(payment_id="p-1", order_id="mug-1", amount=1000, currency="EUR", method="tok_ok")
    client.publish(paid)
    settle(client)
    client.publish(OrderShipped(order_id="mug-1", carrier="DHL", tracking_number="0034"))
    settle(client)

    assert client.order("mug-1")["status"] == "shipped"
    assert captures(project, "mug") == {"mug-1": 1}
    assert mails(project, "mug") == {"mug-1": 3}
    assert (client.stock("mug")["on_hand"], client.stock("mug")["reserved"]) == (10, 2)


def test_the_command_line_publishes_from_a_container(project: Project, client: Client) -> None:
    mail = '{"to": "ada@example.com", "subject": "by-hand", "text": "Hello."}'
    publish = ("run", "--rm", "queue", "publish", "--json", "--id", "by-hand", "SEND_EMAIL", "--data", mail)
    said = project.compose(*publish)
    settle(client)

    assert '"id":"by-hand"' in said
    assert mails(project, "by-hand") == {"by-hand": 1}


def test_workers_answer_each_other_by_their_names(project: Project) -> None:
    assert {project.ask(f"http://{name}:{8001 + n}/readyz")["status"] for n, name in enumerate(WORKERS)} == {
        "ok"
    }
