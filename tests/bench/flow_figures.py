"""Real orders through real processes: gateway, order-worker, inventory-worker, and their databases."""

import asyncio
import os
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench.measure import RUNS, Figure, stated
from support.faults_client import order
from support.postgres import PostgresServer
from support.system import KEY, Shape, System
from support.waiting import eventually

ORDERS = 300
POSTS = 1_000
CONNECTIONS = 32
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def post_orders(client: httpx.AsyncClient, tag: str, count: int) -> None:
    """One POST an order, over `CONNECTIONS` connections."""
    numbers = iter(range(count))

    async def one_connection() -> None:
        for number in numbers:
            event = order(f"{tag}-{number}", mug=1)
            body = {"type": event.type, "data": event.to_data()}
            (await client.post("/v1/events", json=body)).raise_for_status()

    await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))


async def reserved(client: httpx.AsyncClient) -> int:
    return (await client.get("/v1/inventory/mug")).raise_for_status().json()["reserved"]


async def all_reserved(client: httpx.AsyncClient, count: int) -> bool:
    return await reserved(client) >= count


async def run_orders(system: System, tag: str) -> tuple[float, float, dict[str, float]]:
    """POSTs a second, orders a second until their stock is reserved, CPU milliseconds an order by process."""
    system.client().set_stock("mug", 10**8)
    pids = {name: service.process.pid for name, service in system.services.items() if service.process}
    limits = httpx.Limits(max_connections=CONNECTIONS)
    url = system.service("gateway").url
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=60) as client:
        before = await reserved(client)
        spent = {name: cpu_seconds(pid) for name, pid in pids.items()}
        began = time.perf_counter()
        await post_orders(client, tag, ORDERS)
        posted = time.perf_counter() - began
        await eventually(lambda: all_reserved(client, before + ORDERS), within=300)
        took = time.perf_counter() - began
    cpu = {name: (cpu_seconds(pid) - spent[name]) * 1000 / ORDERS for name, pid in pids.items()}
    return ORDERS / posted, ORDERS / took, cpu


async def flow_figures() -> list[Figure]:
    """Stated, with no goal yet: what the whole costs on SQLite and on PostgreSQL."""
    figures: list[Figure] = []
    for name in ("SQLite", "PostgreSQL"):
        with ExitStack() as stack:
            directory = Path(stack.enter_context(TemporaryDirectory()))
            postgres = stack.enter_context(PostgresServer(fsync=True)) if name == "PostgreSQL" else None
            shape = Shape(forked=False, lease=None)
            system = stack.enter_context(System(directory, shape, postgres=postgres))
            await run_orders(system, "warm")
            runs = [await run_orders(system, f"run-{n}") for n in range(RUNS)]
        figures.append(
            stated(f"POSTs over 32 connections, {name}", "POSTs/s", [posts for posts, _, _ in runs])
        )
        figures.append(stated(f"orders to reserved stock, {name}", "orders/s", [rate for _, rate, _ in runs]))
        for service in runs[0][2]:
            cpu = [spent[service] for _, _, spent in runs]
            figures.append(stated(f"CPU an order, {service}, {name}", "ms", cpu))
        total = [sum(spent.values()) for _, _, spent in runs]
        figures.append(stated(f"CPU an order, all services, {name}", "ms", total))
    return figures
