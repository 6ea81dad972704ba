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
    teller.table(
        [
            ("address", plan.gateway.url),
            ("API key", f"in {data.api_key}"),
            ("logs", f"in {data.logs}"),
            ("try", example_request(plan.gateway.url, data)),
            ("stop", "Ctrl-C, or `make down`"),
        ]
    )


def example_request(url: str, data: DataDir) -> str:
    """A shell command that publishes an order, from whatever directory it is typed in."""
    body = f'{{"type":"{OrderCreated.type}","data":{EXAMPLES[OrderCreated].to_json()}}}'
    key = shlex.quote(str(data.api_key))
    words = [
        f"curl -sS {url}/v1/events",
        f'-H "Authorization: Bearer $(cat {key})"',
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(body)}",
    ]
    return " ".join(words)
