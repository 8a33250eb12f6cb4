"""Every kind of SpeechCLIP model behind the service: tiny ones, with random weights, but real."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from index.records import Record
from index.store import Store
from models.encoder import SpeechClipEncoder, load_encoder
from tests.app.conftest import wait_until_ready
from tests.fake_encoder import WORDS, spoken, wav
from tests.tiny_model import BRANCHES, BranchName, save_tiny_model

WAV = {"Content-Type": "audio/wav"}
SECONDS = 1.5
TEXTS = [*WORDS, "red apple", "two hump camel", "DOG"]


@pytest.fixture(scope="module", params=BRANCHES)
def kind(request: pytest.FixtureRequest) -> BranchName:
    kind: BranchName = request.param
    return kind


@pytest.fixture(scope="module")
def model(kind: BranchName, tmp_path_factory: pytest.TempPathFactory) -> SpeechClipEncoder:
    return load_encoder(str(save_tiny_model(tmp_path_factory.mktemp("model"), branch=kind)))


@pytest.fixture(scope="module")
def served(model: SpeechClipEncoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    data = tmp_path_factory.mktemp("data")
    store = Store(data / "collections")
    with store.create("keywords", "keywords", model.dim, model.fingerprint) as collection:
        collection.add([Record(str(row), None, text) for row, text in enumerate(TEXTS)], model.embed_texts(TEXTS))
    with TestClient(create_app(Settings(data=data), model, store)) as client:
        wait_until_ready(client)
        yield client


@pytest.fixture(scope="module")
def utterance() -> bytes:
    return wav(0.3 * np.random.default_rng(0).standard_normal(round(SECONDS * 16_000)))


def test_info_names_its_branches(served: TestClient, kind: BranchName) -> None:
    both = ["parallel", "cascaded"] if kind.startswith("hybrid") else [kind.removesuffix("+")]

    assert sorted(served.get("/info").json()["model"]["branches"]) == sorted(both)


def test_every_branch_it_has_ranks_keywords(served: TestClient, model: SpeechClipEncoder, utterance: bytes) -> None:
    for branch in model.branches:
        answer = served.post(f"/keywords?branch={branch}", content=utterance, headers=WAV)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["keywords"]) == min(10, len(TEXTS))


def test_words_and_slots_are_there_where_it_has_slots(
    served: TestClient, model: SpeechClipEncoder, utterance: bytes
) -> None:
    answer = served.post("/keywords", content=utterance, headers=WAV).json()

    if "cascaded" not in model.branches:
        assert (answer["words"], answer["slots"]) == ([], [])
        return
    assert {one["word"] for one in answer["words"]} == set(TEXTS) - {"DOG"}  # it is said already
    for slot in answer["slots"]:
        assert 0 <= slot["start"] <= slot["end"] <= SECONDS + 0.1
        assert slot["subwords"]
        scores = [word["score"] for word in slot["words"]]
        assert scores == sorted(scores, reverse=True)
    for word in answer["words"]:
        own = [slot["words"] for slot in answer["slots"]]
        assert word["score"] == max(one["score"] for words in own for one in words if one["word"] == word["word"])


def test_a_word_of_one_piece_has_the_score_of_the_piece(model: SpeechClipEncoder) -> None:
    if (words := model.slot_words(["a", "i"])) is None:
        assert "cascaded" not in model.branches
        return
    table = model.network.clip.token_embedding.weight.numpy()
    ids = [model._tokens.encode(text)[0] for text in ("a", "i")]
    assert np.allclose(words, table[ids] / np.linalg.norm(table[ids], axis=1, keepdims=True), atol=1e-6)


def test_a_short_utterance(served: TestClient) -> None:
    answer = served.post("/keywords", content=spoken("dog", seconds=0.1), headers=WAV)

    assert answer.status_code == 200, answer.text
