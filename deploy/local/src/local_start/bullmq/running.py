"""One call of `queue drain-bullmq`: from what was typed to the reports of all queues."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path

import typer
from redis.exceptions import RedisError

from local_start.bullmq.drain import Drain, Target
from local_start.bullmq.mapping import JobMappings
from local_start.bullmq.report import QueueReport, tell
from local_start.bullmq.source import BullQueue
from local_start.console import Teller
from local_start.datadir import DataDir
from local_start.errors import BadInputError, LocalStartError
from local_start.publishing import NotSettledError, key_of
from local_start.record import gateway_address
from local_start.settings import Client, read
from shared.client import EventPublisher, GatewayUnavailableError, PublishRefusedError
from shared.queue.address import AddressError, Kind, RedisAddress
from shared.queue.connection import connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for."""

    redis: str = field(repr=False)
    prefix: str
    queues: Sequence[str]
    mapping: Path | None
    publish: bool
    remove: bool
    workers_stopped: bool


def carry_out(order: Order, *, as_json: bool) -> bool:
    """Drains, or looks, and tells. Whether every job that waited could be taken over.

    What was done before an error is told too.

    Raises:
        BadInputError: an address, a queue's name or the mapping can't be meant.
        NotSettledError: Redis or the gateway gave no answer; the same call again goes on where this ended.
        LocalStartError: a worker of BullMQ could take what is moved, or the key is not accepted.
    """
    _check(order)
    mappings = JobMappings.read(order.mapping)
    reports: list[QueueReport] = []
    try:
        asyncio.run(_drain_all(order, mappings, reports))
    except (RedisError, OSError) as error:
        raise NotSettledError(f"BullMQ's Redis: {error or type(error).__name__}; {_AGAIN}") from None
    except GatewayUnavailableError as error:
        raise NotSettledError(f"the gateway gave no answer ({error}); {_AGAIN}") from None
    except PublishRefusedError as error:
        raise LocalStartError(f"refused: {error}") from None
    finally:
        _tell(order, reports, as_json=as_json)
    return all(report.is_clean for report in reports)


_AGAIN = "the same call again goes on from here"


def _check(order: Order) -> None:
    try:
        address = RedisAddress.parse(order.redis)
    except AddressError as error:
        raise BadInputError(f"--redis: {error}") from None
    if address.kind is Kind.CLUSTER:
        raise BadInputError("--redis: name the node of the cluster that has the queues, as redis://host:port")
    for name in order.queues:
        if not name or ":" in name:  # as BullMQ itself has it
            raise BadInputError(f"{name!r} is no name of a BullMQ queue")


async def _drain_all(order: Order, mappings: JobMappings, reports: list[QueueReport]) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aclosing(connect(order.redis)))
        names = order.queues or mappings.queue_names
        queues = [BullQueue(client, name, order.prefix) for name in names]
        target = None
        if order.publish:
            await _check_rest(order, queues)
            settings = read(Client)
            data = DataDir(settings.data_dir)
            publisher = EventPublisher(gateway_address(data, settings), key_of(settings, data))
            target = Target(await stack.enter_async_context(publisher), order.remove)
        for queue in queues:
            report = QueueReport(queue.name, await queue.look())
            reports.append(report)
            await Drain(queue, mappings, target).run(report)


async def _check_rest(order: Order, queues: Sequence[BullQueue]) -> None:
    """A worker that takes a job while it is published would do the work a second time."""
    for queue in queues:
        found = await queue.look()
        if not (found.is_at_rest or (found.workers is None and order.workers_stopped)):
            if found.workers is None:
                raise LocalStartError(
                    f"{queue.name} is not paused, and this Redis does not say whether workers are connected: "
                    "pause it in BullMQ, or stop them and say --workers-stopped"
                )
            raise LocalStartError(
                f"{queue.name} is not paused and has {found.workers} workers: pause it, or stop them"
            )


def _tell(order: Order, reports: Sequence[QueueReport], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([report.to_json() for report in reports], ensure_ascii=False))
        return
    teller = Teller()
    for report in reports:
        tell(report, teller, dry=not order.publish)
    if reports and not order.publish:
        teller.heading("Nothing was changed.", "--remove moves what can be published")
