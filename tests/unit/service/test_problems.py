from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict

from shared.service.body import read_model
from shared.service.openapi import inline_schema, json_body, problems
from shared.service.problem import Kind, answer_with_problems


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sku: str
    quantity: int


class Basket(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    lines: list[Line]
    notes: dict[str, int] = {}


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI()
    answer_with_problems(app)

    @app.put("/basket")
    async def put(request: Request) -> Basket:
        return await read_model(request, Basket)

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("secret")

    _ = put, bug
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_a_body_becomes_its_model(client: httpx.AsyncClient) -> None:
    body: dict[str, Any] = {"lines": [{"sku": "MUG", "quantity": 1}], "notes": {}}

    answer = await client.put("/basket", json=body)

    assert (answer.status_code, answer.json()) == (200, body)


async def test_known_fields_are_named_and_nothing_that_came_in(client: httpx.AsyncClient) -> None:
    body: dict[str, Any] = {
        "lines": [{"sku": "MUG", "quantity": "zz-secret"}, {"sku": "MUG", "quantity": 1, "zz-secret": 1}],
        "notes": {"zz-secret": "zz-secret"},
    }

    answer = await client.put("/basket", json=body)

    assert "zz-secret" not in answer.text
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["errors"]] == [
        ["lines", 0, "quantity"],
        ["lines", 1],
        ["notes"],
    ]


async def test_a_thousand_mistakes_make_a_short_answer(client: httpx.AsyncClient) -> None:
    lines: list[Any] = [{}] * 1000

    answer = await client.put("/basket", json={"lines": lines})

    assert len(answer.json()["errors"]) == 20


@pytest.mark.parametrize("body", ["[]", "null", "1", '"x"'])
async def test_what_is_no_object_is_422(client: httpx.AsyncClient, body: str) -> None:
    answer = await client.put("/basket", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["errors"][0]["type"]) == (422, "object_type")


async def test_a_bug_tells_nothing_of_itself(client: httpx.AsyncClient) -> None:
    answer = await client.get("/bug")

    assert answer.json() == {
        "type": "urn:shop-queue:problem:fault",
        "title": "The service failed",
        "status": 500,
    }


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/none", 404), ("POST", "/basket", 405)])
async def test_what_the_router_refuses_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_kind_of_problem_has_a_type_of_its_own() -> None:
    assert len({kind.type for kind in Kind}) == len(Kind)


def test_a_documented_body_needs_no_definitions_from_elsewhere() -> None:
    schema = json_body(Basket, many=5)["requestBody"]["content"]["application/json"]["schema"]

    assert schema["maxItems"] == 5
    assert schema["items"]["properties"]["lines"]["items"] == inline_schema(Line)
    assert "$ref" not in str(schema)


def test_problems_of_one_status_share_its_description() -> None:
    documented = problems(Kind.INVALID, Kind.KEY_REUSED, Kind.NOT_FOUND)

    assert set(documented) == {404, 422}
    assert documented[422]["description"] == f"{Kind.INVALID.title} · {Kind.KEY_REUSED.title}"
