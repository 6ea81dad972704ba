"""`queue drain-bullmq` as it is typed. What it needs is loaded when it runs, so that `--help` is quick."""

# ruff: noqa: PLC0415 - see above

from pathlib import Path
from typing import Annotated

import typer

Queues = Annotated[
    list[str] | None,
    typer.Argument(metavar="[QUEUE]...", help="Without any: those of the mapping, else the four of ours."),
]
Redis = Annotated[
    str,
    typer.Option(
        envvar="BULLMQ_REDIS_URL", metavar="URL", help="BullMQ's Redis: redis://:password@host:6379/0."
    ),
]
Prefix = Annotated[str, typer.Option(help="The prefix that BullMQ was given.")]
MappingFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Which job is which event: TOML or JSON.")
]
Publish = Annotated[bool, typer.Option("--publish", help="Publish, and leave the jobs in BullMQ as well.")]
Remove = Annotated[
    bool, typer.Option("--remove", help="Publish, then take each published job out of BullMQ.")
]
Stopped = Annotated[
    bool, typer.Option("--workers-stopped", help="They are, although this Redis can't be asked for them.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the report as one line of JSON.")]


def drain_bullmq(
    queues: Queues = None,
    *,
    redis: Redis,
    prefix: Prefix = "bull",
    mapping: MappingFile = None,
    publish: Publish = False,
    remove: Remove = False,
    workers_stopped: Stopped = False,
    as_json: Json = False,
) -> None:
    """Move the jobs that wait in BullMQ 5 here: waiting, paused, prioritized, delayed.

    By itself it only tells what is there and what can't be moved. It may be stopped at any moment and called
    again: nothing is lost, nothing published twice. Ends with 1 if a job has to stay, 2 if the input is
    wrong, 3 if Redis or the gateway gave no answer.
    """
    from local_start.bullmq.running import Order, carry_out

    order = Order(
        redis=redis,
        prefix=prefix,
        queues=tuple(queues or ()),
        mapping=mapping,
        publish=publish or remove,
        remove=remove,
        workers_stopped=workers_stopped,
    )
    if not carry_out(order, as_json=as_json):
        raise typer.Exit(1)
