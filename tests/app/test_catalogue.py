"""Collections that are there, that come later, and that cannot be used while the others can."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app import catalogue as catalogue_module
from app.catalogue import PATIENCE_S, Catalogue
from app.errors import CollectionBusy
from app.main import create_app
from app.settings import Settings
from index.collection import Collection
from index.errors import CollectionLocked, StorageFailed
from index.records import Record
from index.store import Store
from tests.app.conftest import MakeClient, wait_until_ready
from tests.app.problems import assert_problem
from tests.fake_encoder import WORDS, FakeEncoder, drawn
from tests.patience import WAIT_S, wait_until


def names(client: TestClient) -> dict[str, str]:
    return {one["name"]: one["status"] for one in client.get("/collections").json()["collections"]}


def test_collections_are_listed_with_what_they_hold(client: TestClient) -> None:
    listed = client.get("/collections").json()["collections"]

    assert [one["name"] for one in listed] == ["captions", "images", "keywords", "odd"]
    assert listed[1] == {
        "name": "images",
        "status": "ready",
        "detail": None,
        "kind": "images",
        "version": 1,
        "count": len(WORDS),
        "dim": 16,
        "bytes": listed[1]["bytes"],
        "media_bytes": 0,
        "model": FakeEncoder().fingerprint,
        "recipe": "Flat",
        "recall": 1.0,
    }
    assert client.get("/collections/images").json() == listed[1]


def test_its_size_is_that_of_its_files_without_media(settings: Settings, make_client: MakeClient) -> None:
    folder = settings.data / "collections" / "captions"
    (folder / "media" / "00").mkdir(parents=True)
    (folder / "media" / "00" / "picture.png").write_bytes(bytes(1000))
    with make_client() as client:
        told = client.get("/collections/captions").json()["bytes"]

        assert told == sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        assert client.get("/info").json()["collections"][0]["bytes"] is None
        assert client.put("/collections/captions", json={"kind": "captions"}).json()["bytes"] == told


def test_media_that_it_keeps_has_a_size_of_its_own(make_client: MakeClient) -> None:
    with make_client() as client:
        client.put("/collections/mine")

        def told() -> int:
            return int(client.get("/collections/mine").json()["media_bytes"])

        for word in ("dog", "cat"):
            client.post(f"/collections/mine/items?id={word}", content=drawn(word), headers={"Content-Type": "image/*"})
        both = len(drawn("dog")) + len(drawn("cat"))
        assert told() == both

        snapshot = client.post("/collections/mine/snapshot").json()["name"]
        client.delete("/collections/mine/items/dog")
        assert told() == both  # until it is compacted
        client.post("/collections/mine/compact")
        assert told() == len(drawn("cat"))
        client.post("/collections/mine/restore", json={"snapshot": snapshot, "replace": True})
        assert told() == both
        info = {one["name"]: one for one in client.get("/info").json()["collections"]}
        assert info["mine"]["media_bytes"] is None


@pytest.mark.parametrize("name", ["nothing", "IMAGES", "a b", "%00"])
def test_an_unknown_collection_is_not_found(client: TestClient, name: str) -> None:
    assert_problem(client.get(f"/collections/{name}"), 404, "collection_not_found")


def test_a_damaged_collection_says_so_and_the_others_serve(settings: Settings, make_client: MakeClient) -> None:
    manifest = settings.data / "collections" / "captions" / "manifest.json"
    manifest.write_text("{ no manifest")

    with make_client() as client:
        assert names(client) == {"captions": "unavailable", "images": "ready", "keywords": "ready", "odd": "ready"}
        described = client.get("/collections/captions").json()
        assert described["status"] == "unavailable"
        assert described["detail"]
        assert_problem(client.post("/search/captions", json={"text": "dog"}), 503, "collection_damaged")
        assert client.post("/search/images", json={"text": "dog"}).status_code == 200


def test_a_collection_of_another_model_is_not_searched(
    settings: Settings, make_client: MakeClient, encoder: FakeEncoder
) -> None:
    other = "f" * 64
    store = Store(settings.data / "collections")
    with store.create("other", "images", encoder.dim, other) as collection:
        collection.add([Record("dog")], encoder.vector("dog")[None])

    with make_client() as client:
        for body in ({"text": "dog"}, {"vector": [1.0] * encoder.dim}, {"id": "dog"}):
            problem = assert_problem(client.post("/search/other", json=body), 409, "model_mismatch")
            assert other[:12] in problem["detail"]
        across = {"id": "dog", "collection": "other"}
        assert_problem(client.post("/search/images", json=across), 409, "model_mismatch")


def test_a_collection_that_comes_later_is_found(
    settings: Settings, make_client: MakeClient, encoder: FakeEncoder
) -> None:
    with make_client() as client:
        assert_problem(client.post("/search/later", json={"text": "dog"}), 404, "collection_not_found")
        with Store(settings.data / "collections").create("later", "images", encoder.dim, encoder.fingerprint) as later:
            later.add([Record("dog")], np.stack([encoder.vector("dog")]))
        assert client.post("/search/later", json={"text": "dog"}).json()["results"][0]["id"] == "dog"


def test_a_service_that_can_search_nothing_is_not_ready(settings: Settings) -> None:
    """As a second one on the same data is, until the first has ended."""
    store = Store(settings.data / "collections")
    held = [store.open(name) for name in store.names()]
    with TestClient(create_app(settings, FakeEncoder())) as client:
        while (answer := client.get("/readyz")).json()["code"] == "not_ready":
            time.sleep(0.005)
        assert "open elsewhere" in assert_problem(answer, 503, "collection_unavailable")["detail"]

        held.pop().close()

        wait_until_ready(client)
        for collection in held:
            collection.close()


def test_a_service_without_collections_is_ready(tmp_path: Path, encoder: FakeEncoder) -> None:
    with TestClient(create_app(Settings(data=tmp_path), encoder)) as client:
        wait_until_ready(client)


def test_a_collection_that_another_process_holds_is_tried_again(
    settings: Settings, make_client: MakeClient, tmp_path: Path
) -> None:
    held = Store(settings.data / "collections").open("images")
    with make_client() as client:
        assert names(client)["images"] == "unavailable"
        assert_problem(client.post("/search/images", json={"text": "dog"}), 503, "collection_unavailable")
        held.close()
        assert client.post("/search/images", json={"text": "dog"}).status_code == 200
        assert names(client)["images"] == "ready"


class FailingStore(Store):
    """Its disk refuses, for a while."""

    full = True

    def open(self, name: str, fingerprint: str | None = None) -> Collection:
        if name == "images" and self.full:
            raise StorageFailed("no space left on device")
        return super().open(name, fingerprint)


def test_a_collection_whose_disk_was_full_is_tried_again(settings: Settings) -> None:
    store = FailingStore(settings.data / "collections")
    with TestClient(create_app(settings, FakeEncoder(), store)) as client:
        wait_until_ready(client)
        assert_problem(client.post("/search/images", json={"text": "dog"}), 503, "collection_unavailable")
        store.full = False
        assert client.post("/search/images", json={"text": "dog"}).status_code == 200


class SlowStore(Store):
    """Takes its time to open the collections of some names."""

    def __init__(self, root: Path, *slow: str) -> None:
        super().__init__(root)
        self.slow = slow
        self.go_on = threading.Event()

    def open(self, name: str, fingerprint: str | None = None) -> Collection:
        if name in self.slow:
            assert self.go_on.wait(WAIT_S)
        return super().open(name, fingerprint)


def test_the_others_serve_while_one_is_opened(settings: Settings) -> None:
    store = SlowStore(settings.data / "collections", "odd")
    catalogue = Catalogue(store, patience_s=0.2)
    wait_until(lambda: catalogue.busy == ["odd"])

    assert sorted(catalogue.collections) == ["captions", "images", "keywords"]
    for use in (lambda: catalogue.get("odd"), lambda: catalogue.delete("odd")):
        with pytest.raises(CollectionBusy):
            use()
    assert catalogue.get("images").count == len(WORDS)
    store.go_on.set()
    wait_until(lambda: not catalogue.busy)
    assert catalogue.get("odd").name == "odd"
    catalogue.close()
    Store(settings.data / "collections").open("odd").close()


def test_nobody_is_turned_away_where_opening_is_quick(
    settings: Settings, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "PATIENCE_S", WAIT_S)
    store = SlowStore(settings.data / "collections", "later")
    catalogue = Catalogue(store)
    store.create("later", "images", encoder.dim, encoder.fingerprint).close()
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(catalogue.get, "later") for _ in range(4)]
        time.sleep(0.05)
        store.go_on.set()
        assert len({id(one.result()) for one in found}) == 1
    catalogue.close()


def test_a_slow_opening_holds_others_for_its_first_second_only(settings: Settings) -> None:
    store = SlowStore(settings.data / "collections", "odd")
    catalogue = Catalogue(store, patience_s=PATIENCE_S)
    took = []
    for _ in range(10):
        began = time.monotonic()
        with pytest.raises(CollectionBusy):
            catalogue.get("odd")
        took.append(time.monotonic() - began)
    assert min(took) < PATIENCE_S / 2
    store.go_on.set()
    catalogue.close()


def test_one_that_is_opened_too_late_is_closed_again(settings: Settings) -> None:
    store = SlowStore(settings.data / "collections", "odd")
    catalogue = Catalogue(store, patience_s=0.0)
    catalogue.close()
    store.go_on.set()
    wait_until(lambda: not catalogue.busy)

    assert catalogue.collections.keys() <= {"captions", "images", "keywords"}
    Store(settings.data / "collections").open("odd").close()


def test_a_service_says_what_it_is_opening(settings: Settings, encoder: FakeEncoder) -> None:
    store = SlowStore(settings.data / "collections", "later")
    with TestClient(create_app(settings, encoder, store)) as client:
        wait_until_ready(client)
        Store(settings.data / "collections").create("later", "images", encoder.dim, encoder.fingerprint).close()
        refused = client.post("/search/later", json={"text": "dog"})
        assert_problem(refused, 503, "collection_busy")
        assert refused.headers["retry-after"] == "2"
        assert client.get("/collections/later").json()["status"] == "opening"
        assert names(client)["later"] == "opening"
        assert client.post("/search/images", json={"text": "dog"}).status_code == 200
        store.go_on.set()
        wait_until(lambda: client.get("/collections/later").json()["status"] != "opening")
        assert client.post("/search/later", json={"text": "dog"}).status_code == 200


def test_what_was_measured_of_an_index_is_told(settings: Settings, make_client: MakeClient) -> None:
    store, dim = Store(settings.data / "collections"), FakeEncoder().dim
    vectors = np.random.default_rng(0).standard_normal((300, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with store.create("many", "images", dim, FakeEncoder().fingerprint) as collection:
        collection.add([Record(f"{number:03}") for number in range(300)], vectors)
        collection.build("SQ8", recall=0.9)

    with make_client() as client:
        told = client.get("/collections/many").json()

    assert told["recipe"] == "SQ8"
    assert 0.9 <= told["recall"] <= 1


def test_why_a_collection_cannot_be_used_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However often somebody looks whether it can be by now."""
    root, encoder = tmp_path / "collections", FakeEncoder()
    with Store(root).create("mine", "images", encoder.dim, encoder.fingerprint):
        catalogue = Catalogue(Store(root))
        for _ in range(3):
            with pytest.raises(CollectionLocked):
                catalogue.get("mine")
    assert caplog.text.count("collection cannot be used") == 1
    assert catalogue.get("mine").count == 0
    catalogue.close()
