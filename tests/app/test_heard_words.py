"""`words=`: records that have the words that were heard come first, through the whole application."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.app.conftest import wait_until_ready
from tests.app.problems import assert_problem
from tests.app.slot_encoder import SlotEncoder, said
from tests.app.stream.talk import END, pcm, start
from tests.app.stream.talk import said as stream_said
from tests.fake_encoder import FakeEncoder, drawn

WAV = {"Content-Type": "audio/wav"}
UTTERANCE = said("dog", "guitar")  # the vector is that of the first word


@pytest.fixture
def encoder() -> SlotEncoder:
    return SlotEncoder()


def searched(client: TestClient, path: str, **sent: Any) -> dict[str, float]:
    """Ids and scores, nearest first."""
    answer = client.post(path, **sent)
    assert answer.status_code == 200, answer.text
    return {result["id"]: result["score"] for result in answer.json()["results"]}


def test_what_was_said_and_is_not_in_the_vector_is_found_too(slots: TestClient) -> None:
    by_vector = searched(slots, "/search/images", content=UTTERANCE, headers=WAV)
    by_words = searched(slots, "/search/images?words=1", content=UTTERANCE, headers=WAV)

    assert list(by_words)[:2] == ["dog", "guitar"]
    assert by_words["guitar"] > by_vector["guitar"] + 0.4
    assert by_vector == searched(slots, "/search/images?words=0", content=UTTERANCE, headers=WAV)


def test_words_that_were_told_go_with_the_vector_and_nothing_is_heard_again(
    slots: TestClient, encoder: SlotEncoder
) -> None:
    told = slots.post("/keywords?include=vector", content=UTTERANCE, headers=WAV).json()
    encoder.forget()
    query = {"vector": told["vector"], "words": 0.5}
    at_once = searched(slots, "/search/images?words=0.5", content=UTTERANCE, headers=WAV)
    of_slots = [{"slot": slot["slot"], **word} for slot in told["slots"] for word in slot["words"]]

    assert searched(slots, "/search/images", json={**query, "heard": of_slots}) == pytest.approx(at_once, abs=1e-5)
    # Those that the answer has for all slots together will do as well.
    assert list(searched(slots, "/search/images", json={**query, "heard": told["words"]}))[:2] == ["dog", "guitar"]
    assert len(encoder.asked) == 1


def test_a_picture_that_nothing_is_written_about_is_found_by_what_is_in_it(slots: TestClient) -> None:
    assert slots.put("/collections/photos").status_code == 201
    for id, word in (("1", "dog"), ("2", "guitar"), ("3", "cat")):
        stored = slots.post(
            f"/collections/photos/items?id={id}", content=drawn(word), headers={"Content-Type": "image/png"}
        )
        assert stored.status_code == 200, stored.text
    by_vector = searched(slots, "/search/photos", content=UTTERANCE, headers=WAV)
    by_words = searched(slots, "/search/photos?words=1", content=UTTERANCE, headers=WAV)
    raised = {id: by_words[id] - score for id, score in by_vector.items()}

    assert list(by_words)[:2] == ["1", "2"]
    # Each is one of the two things that were said, and one of the two slots is near to it.
    assert 0.15 < raised["2"] < 0.3
    assert raised["3"] < raised["2"] / 2


def test_words_from_elsewhere_are_looked_for_in_texts_by_a_model_without_slots(client: TestClient) -> None:
    query = {"vector": client.post("/embed", json={"text": "dog"}).json()["vector"], "words": 1}
    before = searched(client, "/search/images", json=query)
    told = [{"word": "guitar", "slot": 0, "score": 0.5}]

    assert searched(client, "/search/images", json={**query, "heard": told})["guitar"] == pytest.approx(
        before["guitar"] + 0.5, abs=1e-5
    )


def test_a_filter_and_the_number_of_results_hold(slots: TestClient) -> None:
    query = {"words": "1", "top_k": "1", "filter": '{"id": {"ne": "dog"}}'}

    assert list(searched(slots, "/search/images", params=query, content=UTTERANCE, headers=WAV)) == ["guitar"]
    assert list(searched(slots, "/search/images?words=1&offset=1&top_k=1", content=UTTERANCE, headers=WAV)) == [
        "guitar"
    ]
    assert list(searched(slots, "/search/images?words=1&group_by=id&top_k=2", content=UTTERANCE, headers=WAV)) == [
        "dog",
        "guitar",
    ]


def test_a_model_without_slots_hears_no_words(client: TestClient) -> None:
    one = said("dog")

    assert searched(client, "/search/images?words=1", content=one, headers=WAV) == searched(
        client, "/search/images", content=one, headers=WAV
    )


def test_what_was_typed_or_shown_has_none(slots: TestClient, encoder: SlotEncoder) -> None:
    assert searched(slots, "/search/images", json={"text": "dog", "words": 1}) == searched(
        slots, "/search/images", json={"text": "dog"}
    )


@pytest.mark.parametrize("words", ["1.1", "-0.1", "nan", "all", ""])
def test_a_weight_that_is_none_is_refused(slots: TestClient, words: str) -> None:
    answer = slots.post("/search/images", params={"words": words}, content=UTTERANCE, headers=WAV)

    assert "words" in assert_problem(answer, 422, "invalid_parameter")["detail"]


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        ([{"word": "dog", "slot": 0, "score": 2}], "heard.0.score"),
        ([{"word": "", "slot": 0, "score": 1}], "heard.0.word"),
        ([{"word": "dog", "slot": 0}], "heard.0.score"),
        ([{"word": "dog", "slot": 0, "score": 1, "rank": 1}], "heard.0.rank"),
        ([{"word": "dog", "slot": 0, "score": 1}] * 751, "heard"),
        ([{"word": "dog", "score": 1}], "heard.0.slot"),
    ],
)
def test_words_that_nobody_told_are_refused(slots: TestClient, heard: list[object], told: str) -> None:
    answer = slots.post("/search/images", json={"vector": [1.0] * 16, "heard": heard, "words": 1})

    assert told in assert_problem(answer, 422, "invalid_parameter")["detail"]


def test_words_without_the_vector_of_their_audio_are_refused(slots: TestClient) -> None:
    answer = slots.post(
        "/search/images", json={"text": "dog", "heard": [{"word": "dog", "slot": 0, "score": 1}], "words": 1}
    )

    assert "it needs vector" in assert_problem(answer, 422, "invalid_parameter")["detail"]


def test_the_vocabulary_has_to_be_there(slots: TestClient) -> None:
    assert slots.delete("/collections/keywords").status_code in (200, 204)
    answer = slots.post("/search/images?words=1", content=UTTERANCE, headers=WAV)

    assert_problem(answer, 404, "collection_not_found")
    assert slots.post("/search/images", content=UTTERANCE, headers=WAV).status_code == 200
    # What somebody has heard is looked for in texts all the same.
    vector = slots.post("/embed", content=UTTERANCE, headers=WAV).json()["vector"]
    told = {"vector": vector, "words": 1, "heard": [{"word": "guitar", "slot": 0, "score": 0.5}]}
    without = searched(slots, "/search/images", json={"vector": vector})
    assert searched(slots, "/search/images", json=told)["guitar"] == pytest.approx(without["guitar"] + 0.5, abs=1e-5)


def test_while_somebody_speaks_they_count_too(slots: TestClient) -> None:
    speech = pcm("dog", 0.5) + pcm("guitar", 0.5)
    with_words = stream_said(slots, start(words=1, searches={"images": 2}), speech, END).heard[-1]
    without = stream_said(slots, start(searches={"images": 5}), speech, END).heard[-1]

    assert [result["id"] for result in with_words["searches"]["images"]] == ["dog", "guitar"]
    assert with_words["keywords"] is None
    scores = {result["id"]: result["score"] for result in without["searches"]["images"]}
    assert with_words["searches"]["images"][1]["score"] > scores["guitar"] + 0.4


def test_a_stream_tells_few_keywords_and_hears_as_many_words(slots: TestClient) -> None:
    speech = pcm("dog", 0.5) + pcm("guitar", 0.5)
    few, many = (stream_said(slots, start(words=1, keywords=count), speech, END).heard[-1] for count in (1, 5))

    assert few["searches"] == many["searches"]
    assert len(few["keywords"]["words"]) == 1
    assert [len(slot["words"]) for slot in few["keywords"]["slots"]] == [1, 1]


def test_a_model_without_slots_needs_no_vocabulary(settings: Settings) -> None:
    with TestClient(create_app(settings, FakeEncoder())) as client:
        wait_until_ready(client)
        assert client.delete("/collections/keywords").status_code in (200, 204)
        assert searched(client, "/search/images?words=1", content=said("dog"), headers=WAV)
        assert "searches" in stream_said(client, start(words=1), pcm("dog"), END).heard[-1]
