"""Several queries that make one together."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.errors import InvalidParameter
from app.query.combining import combined
from tests.app.conftest import MakeClient
from tests.app.problems import assert_problem
from tests.fake_encoder import FakeEncoder, drawn, spoken

DOG = base64.b64encode(spoken("dog", 0.25)).decode()
CAT = base64.b64encode(drawn("cat")).decode()


def ask(client: TestClient, queries: object, path: str = "/search/images", **more: Any) -> dict[str, Any]:
    answer = client.post(path, json={"queries": queries} | more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_sum_is_searched(client: TestClient) -> None:
    encoder = FakeEncoder()
    answer = ask(
        client,
        [
            {"audio": {"data": DOG}, "weight": 2},
            {"image": {"data": CAT}},
            {"text": "rocket", "weight": -0.5},
            {"id": "apple", "collection": "captions", "weight": 0.25},
            {"vector": (3 * encoder.vector("guitar")).tolist(), "weight": -0.25},
        ],
    )

    words = {"dog": 2, "cat": 1, "rocket": -0.5, "apple": 0.25, "guitar": -0.25}
    total = np.sum([weight * encoder.vector(word) for word, weight in words.items()], axis=0)
    expected = {word: float(encoder.vector(word) @ total / np.linalg.norm(total)) for word in words}
    assert {one["id"]: one["score"] for one in answer["results"]} == pytest.approx(expected, abs=1e-5)
    assert [one["id"] for one in answer["results"]][:2] == ["dog", "cat"]


def test_the_answer_tells_what_was_understood_of_each(client: TestClient) -> None:
    answer = ask(client, [{"audio": {"data": DOG}}, {"text": "red", "weight": -0.5}])

    assert answer["query"] == {
        "kind": "queries",
        "format": None,
        "seconds": None,
        "truncated": False,
        "queries": [
            {"kind": "audio", "format": "wav", "seconds": 0.25, "truncated": False, "weight": 1.0},
            {"kind": "text", "format": None, "seconds": None, "truncated": False, "weight": -0.5},
        ],
    }


def test_a_part_that_broke_off_is_told(client: TestClient) -> None:
    broken = base64.b64encode(spoken("dog", 2.0)[:40_000]).decode()

    assert ask(client, [{"audio": {"data": broken}}, {"text": "cat"}])["query"]["truncated"] is True


def test_one_query_alone_is_itself(client: TestClient) -> None:
    assert ask(client, [{"text": "cat"}])["results"] == ask(client, [{"text": "cat", "weight": 7}])["results"]
    assert ask(client, [{"text": "cat", "weight": -1}])["results"][-1]["id"] == "cat"


def test_the_parts_are_encoded_together(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client() as client:
        ask(client, [{"text": word} for word in ("dog", "cat", "apple", "rocket")])

        assert sorted(encoder.seen) == ["apple", "cat", "dog", "rocket"]
        assert len(encoder.batches) < 4


def test_keywords_take_several_queries_but_have_no_slots_then(client: TestClient) -> None:
    answer = ask(client, [{"text": "cat"}, {"text": "dog", "weight": 0.1}], "/keywords", include=["vector"])

    assert answer["keywords"][0]["keyword"] == "cat"
    assert (answer["words"], answer["slots"]) == ([], [])
    assert np.linalg.norm(answer["vector"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "queries",
    [
        [{"text": "cat"}, {"text": "cat", "weight": -1}],
        [{"text": "cat", "weight": 100}, {"text": "cat", "weight": -100}],
        [{"text": "cat", "weight": 0.5}, {"text": "cat", "weight": 0.5}, {"id": "cat", "weight": -1}],
    ],
)
def test_queries_that_cancel_each_other_out_are_refused(client: TestClient, queries: list[object]) -> None:
    problem = assert_problem(client.post("/search/images", json={"queries": queries}), 422, "invalid_parameter")

    assert problem["detail"].startswith("queries: cancel each other out")


@pytest.mark.parametrize(
    ("queries", "field", "words"),
    [
        ([], "queries", "at least 1"),
        ([{"text": "a"}] * 9, "queries", "at most 8"),
        ([{"text": "a"}, {}], "queries.1", "exactly one of audio, id, image, text, vector; got none"),
        ([{"text": "a", "id": "b"}], "queries.0", "got id, text"),
        ([{"text": "a", "weight": 0}], "queries.0", "weight is 0"),
        ([{"text": "a", "weight": 101}], "queries.0.weight", "less than or equal to 100"),
        ([{"text": "a", "weight": "x"}], "queries.0.weight", "number"),
        ([{"text": "a", "top_k": 3}], "queries.0.top_k", "not permitted"),
        ([{"queries": [{"text": "a"}]}], "queries.0.queries", "not permitted"),
        ([{"text": "a", "collection": "captions"}], "queries.0", "needs an id"),
        ([{"text": "a", "branch": "parallel"}], "queries.0", "needs audio"),
        ("red", "queries", "list"),
    ],
)
def test_an_impossible_part_is_named(client: TestClient, queries: object, field: str, words: str) -> None:
    problem = assert_problem(client.post("/search/images", json={"queries": queries}), 422, "invalid_parameter")

    assert field in [one["field"] for one in problem["errors"]]
    assert words in problem["detail"]


def test_what_is_wrong_with_a_part_is_wrong_with_the_whole(client: TestClient) -> None:
    cases: list[tuple[object, int, str]] = [
        ({"audio": {"data": base64.b64encode(b"noise").decode()}}, 415, "unsupported_media"),
        ({"id": "unicorn"}, 404, "item_not_found"),
        ({"id": "dog", "collection": "none"}, 404, "collection_not_found"),
        ({"vector": [1.0]}, 422, "invalid_parameter"),
        ({"audio": {"data": DOG}, "branch": "cascaded"}, 422, "branch_not_found"),
    ]
    for part, status, code in cases:
        assert_problem(client.post("/search/images", json={"queries": [{"text": "a"}, part]}), status, code)


def test_it_is_one_query_among_others(client: TestClient) -> None:
    body = {"text": "a", "queries": [{"text": "b"}]}

    problem = assert_problem(client.post("/search/images", json=body), 422, "invalid_parameter")
    assert "got queries, text" in problem["detail"]


def test_weights_of_any_size_have_the_same_sum() -> None:
    encoder = FakeEncoder()
    vectors = [encoder.vector("dog"), encoder.vector("cat")]

    expected = combined(vectors, [1, -0.5])
    for scale in (1e-300, 1e-3, 100):
        assert np.allclose(combined(vectors, [scale, -0.5 * scale]), expected, atol=1e-6)
    assert np.linalg.norm(expected) == pytest.approx(1, abs=1e-6)


def test_nearly_opposite_directions_are_refused_and_near_ones_are_not() -> None:
    one, other = np.array([1, 0], np.float32), np.array([1, 1e-6], np.float32)

    with pytest.raises(InvalidParameter, match="cancel"):
        combined([one, other], [1, -1])
    assert np.allclose(combined([one, np.array([0, 1], np.float32)], [1, -1]), [0.5**0.5, -(0.5**0.5)])
