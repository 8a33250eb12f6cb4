"""`/openapi.json`: valid, complete, and true."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from openapi_spec_validator import validate

from app.errors import PROBLEMS
from app.query.requests import EmbedQuery, KeywordQuery, MediaQuery, SearchQuery

QUERIES: dict[str, type[MediaQuery]] = {
    "/search/images": SearchQuery,
    "/search/captions": SearchQuery,
    "/search/{collection}": SearchQuery,
    "/keywords": KeywordQuery,
    "/embed": EmbedQuery,
}

KEEPING = {
    "/collections/{name}/items",
    "/collections/{name}/items/{id}",
    "/collections/{name}/compact",
    "/collections/{name}/snapshot",
    "/collections/{name}/restore",
    "/snapshots",
    "/snapshots/{file}",
}


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def test_it_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_it_names_every_path_once_and_the_versioned_ones_as_a_server(document: dict[str, Any]) -> None:
    expected = {*QUERIES, "/embeddings", "/collections", "/collections/{name}", "/media/{collection}/{id}"}
    expected.add("/explain/{collection}/{id}")
    assert set(document["paths"]) == expected | KEEPING | {"/livez", "/readyz", "/info", "/model/card", "/metrics"}
    assert [server["url"] for server in document["servers"]] == ["/", "/v1"]


@pytest.mark.parametrize("path", QUERIES)
def test_a_query_can_be_sent_in_three_ways(document: dict[str, Any], path: str) -> None:
    operation = document["paths"][path]["post"]
    content = operation["requestBody"]["content"]

    assert set(content) == {
        "multipart/form-data",
        "audio/*",
        "image/*",
        "application/octet-stream",
        "application/json",
    }
    assert content["application/json"]["schema"]["$ref"].endswith(f"/{QUERIES[path].__name__}")
    assert {"file", "audio", "image"} <= content["multipart/form-data"]["schema"]["properties"].keys()
    named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
    assert named == set(QUERIES[path].options())


@pytest.mark.parametrize("path", QUERIES)
def test_every_error_of_a_query_is_described_as_a_problem(document: dict[str, Any], path: str) -> None:
    responses = document["paths"][path]["post"]["responses"]

    for kind in PROBLEMS.values():
        if kind.code in ("client_gone", "media_not_found"):
            continue
        described = responses[str(kind.status)]
        assert kind.code in described["description"]
        assert described["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")
    assert "Retry-After" in responses["429"]["headers"]


def test_the_frameworks_own_error_shape_is_nowhere(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in str(document)


def test_every_code_is_listed_for_the_docs_page(document: dict[str, Any]) -> None:
    listed = {problem["code"] for problem in document["x-problems"]}

    assert {kind.code for kind in PROBLEMS.values()} <= listed
    assert {"internal", "not_found", "method_not_allowed"} <= listed


def test_items_can_be_sent_in_three_ways(document: dict[str, Any]) -> None:
    operation = document["paths"]["/collections/{name}/items"]["post"]
    content = operation["requestBody"]["content"]

    assert set(content) == {
        "multipart/form-data",
        "audio/*",
        "image/*",
        "application/octet-stream",
        "application/json",
    }
    shapes = [shape["$ref"].rpartition("/")[2] for shape in content["application/json"]["schema"]["oneOf"]]
    assert shapes == ["NewItem", "NewItems"]
    assert set(shapes) <= document["components"]["schemas"].keys()
    files = content["multipart/form-data"]["schema"]["properties"]["file"]
    assert files["type"] == "array"
    named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
    assert named == {"id", "uri", "caption", "metadata"}
    assert [one["name"] for one in operation["parameters"] if one["in"] == "header"] == ["Idempotency-Key"]
