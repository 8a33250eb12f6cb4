"""A speech model that is no SpeechCLIP: the service takes it as it is, through the same protocol and routes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from index.records import Record
from index.store import Store
from models.audio import decode
from models.protocol import Encoder
from tests.app.conftest import wait_until_ready
from tests.app.problems import assert_problem
from tests.fake_encoder import WORDS, drawn, spoken
from tests.mel_encoder import MelEncoder

WAV = {"Content-Type": "audio/wav"}


@pytest.fixture(scope="module")
def mel() -> Encoder:
    return MelEncoder()


@pytest.fixture(scope="module")
def served(mel: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The real application, over recordings, pictures and keywords that this model has embedded."""
    data = tmp_path_factory.mktemp("mel")
    store = Store(data / "collections")
    fill(store, mel)
    with TestClient(create_app(Settings(data=data), mel, store)) as client:
        wait_until_ready(client)
        yield client


def fill(store: Store, mel: Encoder) -> None:
    words = list(WORDS)
    waves = [decode(spoken(word, seconds=1.0)).samples for word in words]
    vectors = {"sounds": mel.embed_speech(waves).vectors, "keywords": mel.embed_texts(words)}
    for name, made in vectors.items():
        with store.create(name, "audio" if name == "sounds" else "keywords", mel.dim, mel.fingerprint) as collection:
            collection.add([Record(word, None, word) for word in words], made)


@pytest.mark.parametrize("word", WORDS)
def test_a_sound_finds_the_recording_that_it_is_like(served: TestClient, word: str) -> None:
    answer = served.post("/search/sounds", content=spoken(word, seconds=0.6), headers=WAV).json()

    assert answer["results"][0]["id"] == word
    assert answer["model"] == {"name": "mel", "revision": MelEncoder().fingerprint[:12], "dim": 24}


def test_keywords_are_ranked_and_there_are_no_slots(served: TestClient) -> None:
    typed = served.post("/keywords", json={"text": "rocket"}).json()
    said = served.post("/keywords", content=spoken("rocket"), headers=WAV).json()

    assert typed["keywords"][0] == {"keyword": "rocket", "score": 1.0, "rank": 1}
    assert len(said["keywords"]) == len(WORDS)
    assert (said["words"], said["slots"]) == ([], [])


def test_embed_gives_the_model_s_own_vectors(served: TestClient, mel: Encoder) -> None:
    sound = served.post("/embed", content=spoken("dog"), headers=WAV).json()["vector"]
    picture = served.post("/embed", files={"image": drawn("dog")}).json()["vector"]

    assert np.allclose(sound, mel.embed_speech([decode(spoken("dog")).samples]).vectors[0], atol=1e-6)
    assert np.linalg.norm(picture) == pytest.approx(1, abs=1e-5)
    assert served.post("/search/sounds", json={"vector": sound}).json()["results"][0]["id"] == "dog"


def test_its_branches_are_those_it_says(served: TestClient) -> None:
    assert served.get("/info").json()["model"]["branches"] == ["parallel"]
    assert served.post("/embed?branch=parallel", content=spoken("dog"), headers=WAV).status_code == 200
    assert_problem(served.post("/embed?branch=cascaded", content=spoken("dog"), headers=WAV), 422, "branch_not_found")


def test_vectors_of_another_model_are_not_searched(served: TestClient, tmp_path: Path) -> None:
    store = Store(tmp_path / "collections")
    fill(store, MelEncoder())
    other = MelEncoder(seed=1)
    with TestClient(create_app(Settings(data=tmp_path), other, store)) as client:
        wait_until_ready(client)
        assert_problem(client.post("/search/sounds", content=spoken("dog"), headers=WAV), 409, "model_mismatch")
