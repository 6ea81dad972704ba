"""`python -m bench.publisher ours|raw URL RATE SECONDS`: events at an even rate, each with its time."""

import sys
import time

import uvloop

from bench.queue_figures import envelopes, order_event, paced
from shared.events import OrderCreated
from shared.queue import RedisSender
from shared.queue.connection import connect


async def publish(url: str, rate: int, seconds: float) -> None:
    client = connect(url)
    sender = RedisSender(client, opens=False)
    template = OrderCreated.model_validate_json(order_event())
    async for _ in paced(rate, seconds):
        event = envelopes(1)[0]
        order = template.model_copy(update={"order_id": f"o-{time.monotonic():.7f}"})
        assert await sender.send("orders", [event._replace(data=order.to_json())])
    await client.aclose()


async def publish_raw(url: str, rate: int, seconds: float) -> None:
    client = connect(url)
    data = order_event()
    async for _ in paced(rate, seconds):
        await client.xadd("raw", {"data": data, "at": f"{time.monotonic():.7f}"})
    await client.aclose()


if __name__ == "__main__":
    kind, url, rate, seconds = sys.argv[1:]
    run = publish_raw if kind == "raw" else publish
    uvloop.run(run(url, int(rate), float(seconds)))
