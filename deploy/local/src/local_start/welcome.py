"""What a start tells once all is healthy: where it is, and how to go on."""

import shlex

from local_start.console import Teller
from local_start.datadir import DataDir
from local_start.plan import Plan
from shared.events import EXAMPLES, OrderCreated


def welcome(plan: Plan, data: DataDir, teller: Teller) -> None:
    """The address, the key's file, and a request that works as it is pasted."""
    if plan.gateway is None or plan.gateway.url is None:
        teller.good("the workers are up")
        return
    teller.good("the system is up")
    mails = plan.surroundings.told.get("MAIL_SINK_URL")
    teller.table(
        [
            ("address", plan.gateway.url),
            ("API key", f"in {data.api_key}"),
            *([("mails", f"{mails}/")] if mails else []),
            ("logs", f"in {data.logs}"),
            ("try", example_request(plan.gateway.url, data)),
            ("stop", "Ctrl-C, or `make down`"),
        ]
    )


def example_request(url: str, data: DataDir, order: OrderCreated | None = None) -> str:
    """A shell command that publishes an order, from whatever directory it is typed in.

    The story of an order that is given bears the order's id.
    """
    story = f'"correlation_id":"{order.order_id}",' if order else ""
    event = order or EXAMPLES[OrderCreated]
    body = f'{{"type":"{event.type}",{story}"data":{event.to_json()}}}'
    words = [
        f"curl -sS {url}/v1/events",
        authorization(data),
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(body)}",
    ]
    return " ".join(words)


def authorization(data: DataDir) -> str:
    """The words of a curl command that show the key without saying it."""
    return f'-H "Authorization: Bearer $(cat {shlex.quote(str(data.api_key))})"'
