"""Requests are counted by what they ask for, never by the ids in it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from shared.service.metrics.counting import Metrics
from shared.service.metrics.http import CountedRequests


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("gateway")


@pytest.fixture
async def client(metrics: Metrics) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    router = APIRouter()

    @router.get("/v1/orders/{order_id}")
    async def show(order_id: str) -> str:
        return order_id

    @router.get("/broken")
    async def broken() -> None:
        raise ValueError("a bug")

    _ = show, broken
    app.include_router(router)
    app.add_middleware(CountedRequests, metrics=metrics)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def counted(metrics: Metrics, method: str, route: str, status: str) -> float | None:
    labels = {"method": method, "route": route, "status": status}
    return metrics.registry.get_sample_value("queue_http_requests_total", labels)


async def test_a_path_with_an_id_counts_as_its_template(client: httpx.AsyncClient, metrics: Metrics) -> None:
    await client.get("/v1/orders/1042")
    await client.get("/v1/orders/1043")

    assert counted(metrics, "GET", "/v1/orders/{order_id}", "2xx") == 2


async def test_paths_that_lead_nowhere_are_one(client: httpx.AsyncClient, metrics: Metrics) -> None:
    for number in range(3):
        await client.get(f"/nowhere/{number}")

    assert counted(metrics, "GET", "none", "4xx") == 3


async def test_a_method_of_ones_own_is_another_one(client: httpx.AsyncClient, metrics: Metrics) -> None:
    await client.request("BREW", "/nowhere")

    assert counted(metrics, "other", "none", "4xx") == 1


async def test_a_bug_counts_as_an_error_of_ours(client: httpx.AsyncClient, metrics: Metrics) -> None:
    await client.get("/broken")

    assert counted(metrics, "GET", "/broken", "5xx") == 1
