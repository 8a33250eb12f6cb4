"""`branch=`, and `/keywords` of a model with keyword slots, through the whole application."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from openapi_schema_validator import OAS31Validator

from tests.app.problems import assert_problem
from tests.app.slot_encoder import SLOT_S, SlotEncoder, said
from tests.fake_encoder import WORDS, drawn

PATHS = ("/search/images", "/search/odd", "/keywords", "/embed")
WAV = {"Content-Type": "audio/wav"}
UTTERANCE = said("dog", "guitar")  # cascaded hears the first word, parallel the last


@pytest.fixture
def encoder() -> SlotEncoder:
    return SlotEncoder()


def first(answer: dict[str, Any]) -> str:
    return str(answer["results"][0]["id"])


@pytest.mark.parametrize(("branch", "word"), [("parallel", "guitar"), ("cascaded", "dog")])
def test_a_branch_may_be_named_in_any_way_to_send_a_query(slots: TestClient, branch: str, word: str) -> None:
    data = base64.b64encode(UTTERANCE).decode()
    asked = [
        slots.post(f"/search/images?branch={branch}", content=UTTERANCE, headers=WAV),
        slots.post(f"/search/captions?branch={branch}", files={"file": UTTERANCE}),
        slots.post("/search/images", files={"audio": UTTERANCE}, data={"branch": branch}),
        slots.post("/search/images", json={"audio": {"data": data}, "branch": branch}),
    ]

    assert [first(one.json()) for one in asked] == [word] * 4


def test_without_one_it_is_the_model_s_own(slots: TestClient, encoder: SlotEncoder) -> None:
    assert first(slots.post("/search/images", content=UTTERANCE, headers=WAV).json()) == "dog"
    assert encoder.asked == [(None, False, 1)]


def test_embed_and_keywords_take_it_too(slots: TestClient, encoder: SlotEncoder) -> None:
    embedded = slots.post("/embed?branch=parallel", content=UTTERANCE, headers=WAV).json()
    found = slots.post("/keywords?branch=parallel", content=UTTERANCE, headers=WAV).json()

    assert np.allclose(embedded["vector"], encoder.vector("guitar"), atol=1e-6)
    assert found["keywords"][0] == {"keyword": "guitar", "score": 1.0, "rank": 1}
    assert len(found["slots"]) == 2  # slots are the model's, whichever branch ranks


@pytest.mark.parametrize("path", PATHS)
def test_a_branch_that_the_model_lacks_is_refused_with_those_it_has(client: TestClient, path: str) -> None:
    """The client's model has the parallel branch alone."""
    answer = client.post(f"{path}?branch=cascaded", content=UTTERANCE, headers=WAV)
    problem = assert_problem(answer, 422, "branch_not_found")

    assert "'cascaded'" in problem["detail"]
    assert problem["detail"].endswith("it has parallel")
    assert client.post(f"{path}?branch=parallel", content=UTTERANCE, headers=WAV).status_code == 200


def test_it_is_refused_before_anything_is_decoded(client: TestClient) -> None:
    answer = client.post("/search/images?branch=cascaded", content=b"no sound", headers=WAV)

    assert_problem(answer, 422, "branch_not_found")


@pytest.mark.parametrize("branch", ["serial", "", "Parallel", "parallel,cascaded"])
def test_a_word_that_is_no_branch_is_refused(slots: TestClient, branch: str) -> None:
    answer = slots.post("/search/images", params={"branch": branch}, content=UTTERANCE, headers=WAV)

    assert "branch" in assert_problem(answer, 422, "invalid_parameter")["detail"]


@pytest.mark.parametrize("query", [{"text": "dog"}, {"vector": [1.0] * 16}, {"id": "dog"}])
def test_what_is_no_audio_has_no_branch(slots: TestClient, query: dict[str, object]) -> None:
    answer = slots.post("/keywords", json={**query, "branch": "parallel"})

    assert "it needs audio" in assert_problem(answer, 422, "invalid_parameter")["detail"]


def test_each_of_many_gets_its_own_branch(slots: TestClient, encoder: SlotEncoder) -> None:
    def ask(number: int) -> tuple[str, str]:
        branch, word = (("parallel", "guitar"), ("cascaded", "dog"))[number % 2]
        answer = slots.post(f"/search/images?branch={branch}&top_k=1", content=UTTERANCE, headers=WAV)
        return word, first(answer.json())

    with ThreadPoolExecutor(24) as pool:
        assert all(word == found for word, found in pool.map(ask, range(48)))
    assert {branch for branch, _, _ in encoder.asked} == {"parallel", "cascaded"}


def test_slots_are_made_for_keywords_of_audio_only(slots: TestClient, encoder: SlotEncoder) -> None:
    slots.post("/search/images", content=UTTERANCE, headers=WAV)
    slots.post("/embed", content=UTTERANCE, headers=WAV)
    assert [keywords for _, keywords, _ in encoder.asked] == [False, False]
    for query in ({"files": {"image": drawn("dog")}}, {"json": {"text": "dog"}}, {"json": {"id": "dog"}}):
        answer = slots.post("/keywords", **query).json()
        assert (answer["words"], answer["slots"]) == ([], [])
        assert answer["keywords"][0]["keyword"] == "dog"
    assert encoder.word_batches == []

    slots.post("/keywords", content=UTTERANCE, headers=WAV)
    assert [keywords for _, keywords, _ in encoder.asked] == [False, False, True]


def test_words_are_told_with_their_score_and_time(slots: TestClient) -> None:
    answer = slots.post("/keywords?top_k=2", content=UTTERANCE, headers=WAV).json()

    assert answer["keywords"][0]["keyword"] == "dog"
    assert {one["word"]: (one["slot"], one["start"], one["end"]) for one in answer["words"]} == {
        "dog": (0, 0.0, SLOT_S),
        "guitar": (1, SLOT_S, 2 * SLOT_S),
    }
    assert list(answer["words"][0]) == ["word", "score", "slot", "start", "end"]
    assert answer["words"][0]["score"] >= answer["words"][1]["score"] > 0.8
    assert [one["words"][0]["word"] for one in answer["slots"]] == ["dog", "guitar"]
    assert [one["subwords"][0]["text"] for one in answer["slots"]] == ["dog</w>", "guitar</w>"]
    assert list(answer["slots"][0]) == ["slot", "start", "end", "known", "subwords", "words"]


def test_a_word_that_was_said_twice_is_told_once(slots: TestClient, encoder: SlotEncoder) -> None:
    answer = slots.post("/keywords", content=said("dog", "cat", "dog"), headers=WAV).json()
    words = [one["word"] for one in answer["words"]]
    scores = [float(encoder.slot(place, "dog").vector @ encoder.vector("dog")) for place in (0, 2)]
    dog = answer["words"][words.index("dog")]

    assert sorted(words) == sorted(WORDS)
    assert dog["score"] == pytest.approx(max(scores), abs=1e-6)
    assert dog["slot"] == (0, 2)[scores.index(max(scores))]
    assert [one["words"][0]["word"] for one in answer["slots"]] == ["dog", "cat", "dog"]


def test_the_window_of_keywords_is_that_of_words(slots: TestClient) -> None:
    everything = slots.post("/keywords", content=UTTERANCE, headers=WAV).json()
    window = slots.post("/keywords?offset=1&top_k=1", content=UTTERANCE, headers=WAV).json()
    near = slots.post("/keywords?min_score=0.8", content=UTTERANCE, headers=WAV).json()

    assert window["words"] == everything["words"][1:2]
    assert window["keywords"] == everything["keywords"][1:2]
    assert {one["word"] for one in near["words"]} == {"dog", "guitar"}
    assert [[one["word"] for one in slot["words"]] for slot in near["slots"]] == [["dog"], ["guitar"]]


def test_the_vocabulary_is_made_once(slots: TestClient, encoder: SlotEncoder) -> None:
    for _ in range(3):
        slots.post("/keywords", content=UTTERANCE, headers=WAV)

    assert encoder.word_batches == [len(WORDS)]


def test_another_collection_of_the_same_name_has_a_vocabulary_of_its_own(slots: TestClient) -> None:
    slots.post("/keywords", content=UTTERANCE, headers=WAV)
    slots.delete("/collections/keywords")
    slots.put("/collections/keywords", json={"kind": "keywords"})
    stored = slots.post("/collections/keywords/items", json={"items": [{"text": "cat"}, {"text": "apple"}]})
    assert stored.json()["collection"]["version"] == 1

    answer = slots.post("/keywords", content=UTTERANCE, headers=WAV).json()
    assert {one["word"] for one in answer["words"]} == {"cat", "apple"}


def test_the_query_s_own_vector_comes_along_where_it_is_included(slots: TestClient, encoder: SlotEncoder) -> None:
    """One utterance, heard once, for keywords and searches."""
    answer = slots.post("/keywords?include=vector&diversity=0", content=UTTERANCE, headers=WAV).json()

    assert np.allclose(answer["vector"], encoder.vector("dog"), atol=1e-6)
    assert first(slots.post("/search/images", json={"vector": answer["vector"]}).json()) == "dog"
    refused = slots.post("/keywords?include=uri", content=UTTERANCE, headers=WAV)
    assert "include" in assert_problem(refused, 422, "invalid_parameter")["detail"]


def test_info_names_the_branches(slots: TestClient) -> None:
    assert slots.get("/info").json()["model"]["branches"] == ["parallel", "cascaded"]


def test_both_views_are_as_the_document_describes_them(slots: TestClient) -> None:
    document = slots.get("/openapi.json").json()
    schema = {"$ref": "#/components/schemas/KeywordsResponse", "components": document["components"]}
    answer = slots.post("/keywords?include=vector&diversity=0", content=UTTERANCE, headers=WAV).json()

    OAS31Validator(schema).validate(answer)
    assert answer.keys() == document["components"]["schemas"]["KeywordsResponse"]["properties"].keys()
