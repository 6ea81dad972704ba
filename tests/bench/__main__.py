"""`make bench`: a table here, the same as JSON in `.data/bench.json`."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from bench.flow_figures import flow_figures
from bench.measure import Figure
from bench.queue_figures import queue_figures
from shared.service.app import collect_garbage_seldom
from support.redis_server import RedisServer


async def measure() -> list[Figure]:
    with TemporaryDirectory() as directory, RedisServer(Path(directory)) as server:
        figures = await queue_figures(server)
    for figure in figures:
        print(figure.line(), flush=True)  # noqa: T201 its purpose
    flow = await flow_figures()
    for figure in flow:
        print(figure.line(), flush=True)  # noqa: T201 its purpose
    return figures + flow


def main() -> None:
    collect_garbage_seldom()  # as a served worker does
    figures = uvloop.run(measure())
    target = Path(os.environ.get("QUEUE_DATA_DIR", ".data")) / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))


if __name__ == "__main__":
    main()
