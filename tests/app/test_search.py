"""`/search/...`, `/keywords` and `/embed`: what comes back for a query."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.app.problems import assert_problem
from tests.fake_encoder import WORDS, FakeEncoder, drawn, spoken


@pytest.mark.parametrize("word", WORDS)
def test_what_was_said_is_the_nearest_image(client: TestClient, word: str) -> None:
    answer = client.post("/search/images", files={"file": spoken(word)})

    assert answer.status_code == 200
    assert answer.json()["results"][0] == {
        "id": word,
        "rank": 1,
        "score": 1.0,
        "uri": f"{word}.png",
        "caption": word,
        "metadata": {"length": len(word)},
    }


def test_the_response_has_exactly_the_documented_shape(client: TestClient) -> None:
    answer = client.post("/search/images?top_k=2", files={"file": spoken("dog", seconds=0.75)}).json()

    assert list(answer) == ["results", "query", "model", "collection", "timings_ms", "request_id"]
    assert list(answer["results"][0]) == ["id", "rank", "score", "uri", "caption", "metadata"]
    assert answer["query"] == {"kind": "audio", "format": "wav", "seconds": 0.75, "truncated": False}
    fingerprint = FakeEncoder().fingerprint
    assert answer["model"] == {"name": "fake", "revision": fingerprint[:12], "dim": 16}
    assert answer["collection"] == {"name": "images", "version": 1, "count": len(WORDS)}
    timings = answer["timings_ms"]
    assert list(timings) == ["decode", "queue", "encode", "search", "total"]
    assert all(milliseconds >= 0 for milliseconds in timings.values())
    assert timings["total"] >= timings["decode"] + timings["encode"] + timings["search"]


@pytest.mark.parametrize("path", ["/search/images", "/search/captions", "/search/keywords", "/search/odd"])
def test_every_collection_is_searched_the_same_way(client: TestClient, path: str) -> None:
    for prefix in ("", "/v1"):
        answer = client.post(prefix + path, json={"text": "dog"})
        assert answer.status_code == 200
        assert answer.json()["collection"]["name"] == path.rsplit("/", 1)[-1]
        assert answer.json()["results"][0]["score"] == pytest.approx(1.0)


def test_results_come_best_first_with_their_rank(client: TestClient) -> None:
    results = client.post("/search/images", json={"text": "cat"}).json()["results"]

    assert [one["rank"] for one in results] == [1, 2, 3, 4, 5]
    scores = [one["score"] for one in results]
    assert scores == sorted(scores, reverse=True)


def test_offset_and_top_k_are_a_window_on_the_same_ranking(client: TestClient) -> None:
    everything = client.post("/search/images", json={"text": "cat"}).json()["results"]
    window = client.post("/search/images", json={"text": "cat", "offset": 1, "top_k": 2}).json()["results"]
    beyond = client.post("/search/images", json={"text": "cat", "offset": 10_000}).json()["results"]

    assert window == everything[1:3]
    assert beyond == []


def test_min_score_leaves_out_what_is_farther(client: TestClient) -> None:
    results = client.post("/search/images", json={"text": "cat", "min_score": 0.99}).json()["results"]

    assert [one["id"] for one in results] == ["cat"]


@pytest.mark.parametrize(
    ("include", "fields"),
    [
        ([], {"id", "rank", "score", "caption"}),
        (["uri"], {"id", "rank", "score", "caption", "uri"}),
        ("uri, metadata", {"id", "rank", "score", "caption", "uri", "metadata"}),
        (["vector"], {"id", "rank", "score", "caption", "vector"}),
    ],
)
def test_include_chooses_what_each_result_tells(client: TestClient, include: object, fields: set[str]) -> None:
    results = client.post("/search/images", json={"text": "cat", "include": include}).json()["results"]

    assert all(one.keys() == fields for one in results)


def test_an_included_vector_is_the_record_s_own(client: TestClient) -> None:
    result = client.post("/search/images?include=vector&top_k=1", json={"text": "cat"}).json()["results"][0]

    assert np.allclose(result["vector"], FakeEncoder().vector("cat"), atol=1e-6)


def test_keywords_are_those_of_the_collection_keywords(client: TestClient) -> None:
    answer = client.post("/keywords", files={"file": spoken("rocket")}, data={"top_k": "2"}).json()

    assert list(answer) == ["keywords", "words", "slots", "query", "model", "collection", "timings_ms", "request_id"]
    assert (answer["words"], answer["slots"]) == ([], [])  # of a model without keyword slots
    assert answer["keywords"][0] == {"keyword": "rocket", "score": 1.0, "rank": 1}
    assert len(answer["keywords"]) == 2
    assert answer["collection"]["name"] == "keywords"


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"audio": {"data": base64.b64encode(spoken("dog")).decode()}}, "audio"),
        ({"image": {"data": base64.b64encode(drawn("dog")).decode()}}, "image"),
        ({"text": "dog"}, "text"),
    ],
)
def test_embed_gives_the_same_unit_vector_for_what_means_the_same(
    client: TestClient, query: dict[str, object], kind: str
) -> None:
    answer = client.post("/embed", json=query).json()

    assert list(answer) == ["vector", "query", "model", "timings_ms", "request_id"]
    assert list(answer["timings_ms"]) == ["decode", "queue", "encode", "total"]
    assert answer["query"]["kind"] == kind
    assert np.allclose(answer["vector"], FakeEncoder().vector("dog"))


@pytest.mark.parametrize("body", [{"text": "dog", "top_k": 3}, {"vector": [1.0]}, {"id": "dog"}])
def test_embed_takes_media_and_text_only(client: TestClient, body: dict[str, object]) -> None:
    assert_problem(client.post("/embed", json=body), 422, "invalid_parameter")


def test_a_vector_from_embed_finds_what_its_text_finds(client: TestClient) -> None:
    vector = client.post("/embed", json={"text": "apple"}).json()["vector"]
    answer = client.post("/search/images", json={"vector": vector}).json()

    assert answer["results"][0]["id"] == "apple"
    assert answer["query"] == {"kind": "vector", "format": None, "seconds": None, "truncated": False}


@pytest.mark.parametrize("scale", [1e-300, 0.5, 1e300])
def test_a_vector_of_any_length_is_a_direction(client: TestClient, scale: float) -> None:
    vector = [scale * float(number) for number in FakeEncoder().vector("apple")]
    answer = client.post("/search/images", json={"vector": vector}).json()

    assert answer["results"][0]["id"] == "apple"
    assert answer["results"][0]["score"] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("vector", "word"),
    [([0.0] * 16, "zeros"), ([1.0] * 15, "15 numbers"), ([1.0] * 17, "17 numbers"), ([], "vector"), (["a"], "vector")],
)
def test_an_impossible_vector_is_refused(client: TestClient, vector: list[object], word: str) -> None:
    problem = assert_problem(client.post("/search/images", json={"vector": vector}), 422, "invalid_parameter")

    assert word in problem["detail"]


def test_a_record_finds_what_is_like_it(client: TestClient) -> None:
    here = client.post("/search/images", json={"id": "guitar"}).json()
    elsewhere = client.post("/search/captions", json={"id": "sub/drawing", "collection": "odd"}).json()

    assert here["results"][0]["id"] == "guitar"
    assert here["query"]["kind"] == "id"
    assert elsewhere["results"][0]["id"] == "dog"


def test_an_unknown_record_is_not_found(client: TestClient) -> None:
    assert_problem(client.post("/search/images", json={"id": "unicorn"}), 404, "item_not_found")


@pytest.mark.parametrize("name", ["nothing", "IMAGES", "...", "-", "a%00b", "x" * 300, "é", "%ff"])
def test_an_unknown_collection_is_not_found(client: TestClient, name: str) -> None:
    assert_problem(client.post(f"/search/{name}", json={"text": "dog"}), 404, "collection_not_found")
    assert_problem(client.post("/search/images", json={"id": "dog", "collection": "no"}), 404, "collection_not_found")
