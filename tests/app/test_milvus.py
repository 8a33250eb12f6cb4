"""The service with its collections on Milvus."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app import startup
from app.main import create_app
from app.query.heard import MOST_RANKED, heard
from app.query.keywords import Vocabulary
from app.query.nearest import page_of
from app.query.requests import SearchQuery, filter_of
from app.settings import Settings
from index import address
from index.backend import Store
from index.errors import ServerUnreachable
from index.records import Record
from tests.app.conftest import wait_until_ready
from tests.app.problems import assert_problem
from tests.fake_encoder import FakeEncoder, drawn
from tests.patience import WAIT_S

WORDS = ("dog", "cat")


@contextmanager
def service(data: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data=data, store="milvus-lite"), FakeEncoder())) as client:
        wait_until_ready(client)
        yield client


@pytest.fixture
def client(tmp_path: Path, encoder: FakeEncoder) -> Iterator[TestClient]:
    store = address.open_store("milvus-lite", tmp_path)
    with store.create("images", "images", encoder.dim, encoder.fingerprint) as images:
        records = [Record(word, caption=word, metadata={"length": len(word)}) for word in WORDS]
        images.add(records, np.stack([encoder.vector(word) for word in WORDS]))
    store.close()
    with service(tmp_path) as client:
        yield client


def ids(answer: object) -> list[str]:
    assert isinstance(answer, dict), answer
    return [result["id"] for result in answer["results"]]


def test_it_is_searched_like_any_other(client: TestClient) -> None:
    found = client.post("/search/images", json={"text": "cat"}).json()

    assert ids(found) == ["cat", "dog"]
    assert found["collection"]["count"] == 2
    filtered = {"text": "cat", "filter": {"id": {"ne": "cat"}, "metadata.length": {"eq": 3}}}
    assert ids(client.post("/search/images", json=filtered).json()) == ["dog"]
    assert [one["status"] for one in client.get("/collections").json()["collections"]] == ["ready"]


def test_items_come_and_go_and_are_there_after_a_restart(tmp_path: Path, encoder: FakeEncoder) -> None:
    vector = {"id": "v", "vector": encoder.vector("dog").tolist()}
    with service(tmp_path) as client:
        assert client.put("/collections/new", json={"kind": "images"}).status_code == 201
        png = {"Content-Type": "image/png"}
        sent = client.post("/collections/new/items?id=a", content=drawn("apple"), headers=png)
        assert sent.status_code == 200, sent.text
        assert client.post("/collections/new/items", json=vector).status_code == 200
        assert client.delete("/collections/new/items/v").status_code == 200
        assert client.get("/media/new/a").content == drawn("apple")

    with service(tmp_path) as client:
        assert [item["id"] for item in client.get("/collections/new/items").json()["items"]] == ["a"]
        assert ids(client.post("/search/new", json={"text": "apple"}).json()) == ["a"]
        assert client.delete("/collections/new").status_code == 204
        assert_problem(client.post("/search/new", json={"text": "apple"}), 404, "collection_not_found")


@pytest.mark.parametrize("where", [None, '{"metadata.part": {"eq": 1}}', '{"caption": {"contains": "do"}}'])
def test_words_that_were_heard_choose_there_as_here(tmp_path: Path, where: str | None) -> None:
    """With more records than are looked at, and filters that Milvus can tell and cannot."""
    random, count = np.random.default_rng(0), MOST_RANKED + 100
    vectors = random.standard_normal((count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    records = [Record(f"{n:03}", caption="dog" if n % 9 == 0 else None, metadata={"part": n % 3}) for n in range(count)]
    vocabulary = Vocabulary.of(["dog", "cat"], vectors[:2], vectors[:2])
    words = heard(0.5, [(0, "dog", 0.6), (0, "cat", 0.5), (1, "cat", 0.7)], vocabulary)
    query = SearchQuery.model_construct(top_k=50, filter=filter_of(where) if where else None)
    found = []
    for kind in ("faiss", "milvus-lite"):
        store = address.open_store(kind, tmp_path / kind)
        with store.create("mine", "images", 8, "f" * 64) as collection:
            collection.add(records, vectors)
            found.append(page_of(collection, vectors[5], query, words).hits)
        store.close()
    here, there = found

    assert [hit.record.id for hit in there] == [hit.record.id for hit in here]
    assert [hit.score for hit in there] == pytest.approx([hit.score for hit in here], abs=1e-5)
    for hits in found:
        own = {hit.record.id: hit.vector for hit in hits if hit.vector is not None}
        assert all((vector == vectors[int(id)]).all() for id, vector in own.items())


def test_what_milvus_cannot_do_is_told(client: TestClient) -> None:
    keyed = client.post(
        "/collections/images/items",
        json={"id": "v", "vector": [1.0, *[0.0] * (FakeEncoder().dim - 1)]},
        headers={"Idempotency-Key": "k"},
    )

    assert_problem(keyed, 501, "not_supported")
    assert_problem(client.post("/collections/images/snapshot"), 501, "not_supported")


def test_a_start_waits_for_a_server_that_is_not_there_yet(
    settings: Settings, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, asked = threading.Event(), threading.Event()

    def open_store(text: str, data: Path) -> Store:
        asked.set()
        if there.is_set():
            return address.open_store(text, data)
        raise ServerUnreachable("http://milvus:19530 does not answer")

    monkeypatch.setattr(startup, "open_store", open_store)
    monkeypatch.setattr(startup, "STORE_RETRY_S", 0.01)
    with TestClient(create_app(settings, encoder)) as client:
        assert asked.wait(WAIT_S)
        assert client.get("/livez").status_code == 200
        assert_problem(client.get("/readyz"), 503, "not_ready")
        there.set()
        wait_until_ready(client)
        assert client.post("/search/images", json={"text": "dog"}).status_code == 200


def test_a_stop_does_not_wait_for_the_server(
    settings: Settings, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_store(text: str, data: Path) -> Store:
        raise ServerUnreachable("http://milvus:19530 does not answer")

    monkeypatch.setattr(startup, "open_store", open_store)
    monkeypatch.setattr(startup, "STORE_RETRY_S", 60.0)
    with TestClient(create_app(settings, encoder)):
        pass
    assert not any(thread.name == "startup" for thread in threading.enumerate())
