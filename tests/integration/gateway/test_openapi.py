import re
from typing import Any

from integration.gateway.house import House


def _operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    paths: dict[str, dict[str, Any]] = document["paths"]
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


async def test_every_reference_of_the_document_leads_somewhere(house: House) -> None:
    document = (await house.client.get("/openapi.json", headers={"Authorization": ""})).json()

    references = set(re.findall(r"'#/components/schemas/(\w+)'", str(document)))
    assert references <= set(document["components"]["schemas"])
    assert "#/$defs/" not in str(document)


async def test_every_route_but_the_open_ones_documents_its_key_and_its_problems(house: House) -> None:
    document = house.gateway.app.openapi()

    for name, operation in _operations(document):
        if "/v1/" in name:
            assert operation["security"] == [{"HTTPBearer": []}], name
            assert {"401", "503"} <= set(operation["responses"]), name
            assert operation["summary"], name


async def test_bodies_are_documented_though_we_read_them_ourselves(house: House) -> None:
    document = house.gateway.app.openapi()

    for name, operation in _operations(document):
        if name.startswith(("POST", "PUT")) and not name.endswith("/read"):  # that one has none
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            assert schema["type"] in {"object", "array"}, name
            assert {"400", "413", "415", "422"} <= set(operation["responses"]), name


async def test_path_parameters_of_the_workers_routes_are_documented(house: House) -> None:
    document = house.gateway.app.openapi()

    for name, operation in _operations(document):
        declared = {
            parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"
        }
        assert declared == set(re.findall(r"{(\w+)}", name)), name
