"""Filters, groups and diversity, asked for over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from index.records import Record
from index.store import Store
from tests.app.conftest import wait_until_ready
from tests.app.problems import assert_problem
from tests.fake_encoder import FakeEncoder, spoken

COLOURS = ["red", "green", "blue"]
COUNT = 60
RED = {"metadata.colour": {"eq": "red"}}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Sixty shoes, five pictures of each of twelve products, and keywords that say which language they are of."""
    data, encoder = tmp_path_factory.mktemp("shop"), FakeEncoder()
    store = Store(data / "collections")
    records = [
        Record(f"shoe-{n:02}", None, f"shoe {n}", {"colour": COLOURS[n % 3], "price": n, "product": f"p{n // 5}"})
        for n in range(COUNT)
    ]
    words = [Record(word, None, word, {"language": "en" if word < "n" else "de"}) for word in ("dog", "hund", "tier")]
    for name, kind, some in (
        ("shoes", "images", records),
        ("keywords", "keywords", words),
        ("audio", "audio", records),
    ):
        with store.create(name, kind, encoder.dim, encoder.fingerprint) as collection:  # type: ignore[arg-type]
            collection.add(some, np.stack([encoder.vector(record.caption or "") for record in some]))
    with TestClient(create_app(Settings(data=data), encoder)) as client:
        wait_until_ready(client)
        yield client


def found(client: TestClient, path: str = "/search/shoes", **query: Any) -> list[dict[str, Any]]:
    answer = client.post(path, json={"text": "shoe 7", "top_k": 100} | query)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def ids(results: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in results]


def test_only_what_the_filter_lets_through_is_found(shop: TestClient) -> None:
    everything = found(shop)
    red = found(shop, filter=RED)

    assert len(everything) == COUNT
    assert ids(red) == [one["id"] for one in everything if one["metadata"]["colour"] == "red"]
    assert [one["rank"] for one in red] == list(range(1, 21))


@pytest.mark.parametrize("path", ["/search/shoes", "/v1/search/shoes", "/search/audio"])
def test_every_collection_takes_filters(shop: TestClient, path: str) -> None:
    results = found(shop, path, filter={"metadata.price": {"gte": 10, "lt": 20}, "not": RED})

    assert len(results) == 7
    assert all(10 <= one["metadata"]["price"] < 20 and one["metadata"]["colour"] != "red" for one in results)


def test_a_filter_comes_from_wherever_it_is_put(shop: TestClient) -> None:
    text, query = json.dumps(RED), {"text": "shoe 7"}
    answers = [
        shop.post("/search/shoes", json=query | {"filter": RED}),
        shop.post("/search/shoes", params={"filter": text}, json=query),
        shop.post("/search/shoes", params={"filter": text}, content=spoken("dog")),
        shop.post("/search/shoes", files={"file": spoken("dog")}, data={"filter": text}),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert {one["metadata"]["colour"] for one in answer.json()["results"]} == {"red"}
        assert len(answer.json()["results"]) == 10


def test_null_is_no_filter(shop: TestClient) -> None:
    assert len(found(shop, filter=None, group_by=None, diversity=None)) == COUNT


def test_a_filter_goes_with_offset_and_min_score(shop: TestClient) -> None:
    red = found(shop, filter=RED)

    assert found(shop, filter=RED, offset=5, top_k=5) == red[5:10]
    assert found(shop, filter=RED, min_score=red[3]["score"] - 1e-6) == red[:4]


def test_a_record_can_be_left_out_of_what_is_like_it(shop: TestClient) -> None:
    like: dict[str, Any] = {"text": None, "id": "shoe-07"}

    assert ids(found(shop, **like))[0] == "shoe-07"
    assert ids(found(shop, **like, filter={"id": {"ne": "shoe-07"}})) == ids(found(shop, **like))[1:]


def test_keywords_take_a_filter(shop: TestClient) -> None:
    answer = shop.post("/keywords", json={"text": "dog", "filter": {"metadata.language": {"eq": "de"}}}).json()

    assert {one["keyword"] for one in answer["keywords"]} == {"tier"}
    assert "capped" not in answer


@pytest.mark.parametrize(
    ("filter", "words"),
    [
        ({"metadata.price": {"between": [1, 2]}}, ["/metadata.price/between", "is no condition", "gte"]),
        ({"and": [RED, {"price": {"lt": 5}}]}, ["/and/1/price", "is no field"]),
        ({"metadata.price": {"lt": None}}, ["/metadata.price/lt", "is null"]),
        ({"not": []}, ["/not", "is a list, not an object"]),
        ([], ["is a list, not an object"]),
        (5, ["is a number, not an object"]),
        ("{", ["is not JSON"]),
        ("{'id': 1}", ["is not JSON"]),
        ('{"id": {"eq": NaN}}', ["is not JSON"]),
    ],
)
def test_a_fault_is_pointed_at(shop: TestClient, filter: Any, words: list[str]) -> None:
    problem = assert_problem(shop.post("/search/shoes", json={"text": "a", "filter": filter}), 422, "invalid_parameter")

    assert [one["field"] for one in problem["errors"]] == ["filter"]
    assert all(word in problem["errors"][0]["detail"] for word in words)
    assert problem["detail"].startswith("filter: ")


@pytest.mark.parametrize("filter", ["", "red", "[]", "\ud800", '{"id": {"eq": "\\ud800"}}'])
def test_a_fault_in_the_query_string_is_told(shop: TestClient, filter: str) -> None:
    answer = shop.post("/search/shoes", params={"filter": filter.encode("utf-8", "replace")}, json={"text": "a"})

    assert_problem(answer, 422, "invalid_parameter")


@pytest.mark.parametrize(
    "body",
    [
        {"filter": {"metadata.n": {"eq": 10**400}}},
        {"filter": {"metadata.n": {"in": list(range(1001))}}},
        {"filter": {"or": [{}] * 200}},
        {"group_by": "product"},
        {"group_by": 5},
        {"group_by": ""},
        {"diversity": 1.5},
        {"diversity": -0.1},
        {"diversity": "much"},
    ],
)
def test_what_is_too_much_or_makes_no_sense_is_refused(shop: TestClient, body: dict[str, Any]) -> None:
    assert_problem(shop.post("/search/shoes", json={"text": "a"} | body), 422, "invalid_parameter")


def test_embed_takes_none_of_it(shop: TestClient) -> None:
    for body in ({"filter": RED}, {"group_by": "metadata.product"}, {"diversity": 0.5}, {"queries": [{"text": "a"}]}):
        assert_problem(shop.post("/embed", json={"text": "a"} | body), 422, "invalid_parameter")


def test_one_result_per_value(shop: TestClient) -> None:
    answer = shop.post("/search/shoes?top_k=100&group_by=metadata.product", json={"text": "shoe 7"}).json()

    nearest: dict[str, str] = {}
    for one in found(shop):
        nearest.setdefault(one["metadata"]["product"], one["id"])
    best = list(nearest.values())
    assert ids(answer["results"]) == best
    assert len(best) == 12
    assert answer["capped"] is False
    assert list(answer)[:2] == ["results", "capped"]


def test_groups_have_pages_and_filters(shop: TestClient) -> None:
    grouped = found(shop, group_by="metadata.product", filter=RED)

    assert len(grouped) == 12
    assert {one["metadata"]["colour"] for one in grouped} == {"red"}
    pages = [found(shop, group_by="metadata.product", filter=RED, top_k=5, offset=offset) for offset in (0, 5, 10)]
    assert [one for page in pages for one in page] == grouped


def test_groups_of_a_field_that_nothing_has_are_the_records(shop: TestClient) -> None:
    assert found(shop, group_by="metadata.nothing") == found(shop)


def test_diversity_changes_the_order_but_not_the_results(shop: TestClient) -> None:
    plain, spread = found(shop), found(shop, diversity=0.8)

    assert found(shop, diversity=0) == plain
    assert sorted(ids(spread)) == sorted(ids(plain))
    assert ids(spread) != ids(plain)
    assert spread[0] == plain[0]
    assert {one["id"]: one["score"] for one in spread} == {one["id"]: one["score"] for one in plain}


def test_pages_of_diverse_results_fit_together(shop: TestClient) -> None:
    pages = [found(shop, diversity=0.6, top_k=20, offset=offset) for offset in (0, 20, 40)]

    assert [one for page in pages for one in page] == found(shop, diversity=0.6)


def test_diversity_goes_with_filters_groups_and_min_score(shop: TestClient) -> None:
    query: dict[str, Any] = {"filter": RED, "group_by": "metadata.product", "min_score": -0.5}

    assert sorted(ids(found(shop, **query, diversity=0.5))) == sorted(ids(found(shop, **query)))
    assert found(shop, filter={"or": []}, diversity=0.5) == []


def test_what_knows_a_cap_says_whether_it_was_met(shop: TestClient) -> None:
    def capped(**query: Any) -> object:
        return shop.post("/search/shoes", json={"text": "a"} | query).json().get("capped")

    assert capped() is None
    assert capped(diversity=0.5) is False
    assert capped(group_by="metadata.product") is False
    assert capped(diversity=0.5, top_k=400, offset=101) is True
    assert capped(diversity=0, top_k=400, offset=101) is False
