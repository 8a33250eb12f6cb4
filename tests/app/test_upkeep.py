"""Collections made, compacted, put into a file and restored, over HTTP and while they serve."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.demo import collections as demo
from app.settings import Settings
from index.store import Store
from tests.app.conftest import MakeClient
from tests.app.problems import assert_problem
from tests.fake_encoder import FakeEncoder, drawn

WORDS = ("dog", "cat", "apple")


def image(word: str, id: str | None = None) -> dict[str, Any]:
    return {"id": id or word, "image": {"data": base64.b64encode(drawn(word)).decode()}}


@pytest.fixture
def client(make_client: MakeClient) -> Iterator[TestClient]:
    with make_client() as client:
        assert client.put("/collections/mine").status_code == 201
        store(client, *WORDS)
        yield client


def store(client: TestClient, *words: str) -> None:
    answer = client.post("/collections/mine/items", json={"items": [image(word) for word in words]})
    assert answer.status_code == 200, answer.text


def found(client: TestClient, text: str, name: str = "mine") -> list[str]:
    answer = client.post(f"/search/{name}", json={"text": text})
    assert answer.status_code == 200, answer.text
    return [result["id"] for result in answer.json()["results"]]


def snapshot(client: TestClient, name: str = "mine") -> str:
    answer = client.post(f"/collections/{name}/snapshot")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["name"])


def restore(client: TestClient, name: str, file: str, **more: object) -> Any:
    return client.post(f"/collections/{name}/restore", json={"snapshot": file, **more})


def test_a_collection_is_made_once(client: TestClient, encoder: FakeEncoder) -> None:
    made = client.put("/collections/new", json={"kind": "captions"})
    again = client.put("/collections/new", json={"kind": "captions"})

    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json() == client.get("/collections/new").json()
    assert (made.json()["kind"], made.json()["count"], made.json()["model"]) == ("captions", 0, encoder.fingerprint)
    assert_problem(client.put("/collections/new"), 409, "collection_exists")
    assert_problem(client.put("/collections/new", json={"kind": "films"}), 422, "invalid_parameter")
    assert_problem(client.put("/collections/new", json={"dim": 3}), 422, "invalid_parameter")
    assert_problem(client.put("/collections/NEW"), 422, "invalid_parameter")
    assert_problem(client.put("/collections/other", content=b"{", headers={"Content-Type": "application/json"}), 422,
                   "invalid_parameter")  # fmt: skip


def test_a_collection_of_another_model_is_not_the_one_that_was_wanted(
    client: TestClient, settings: Settings, encoder: FakeEncoder
) -> None:
    Store(settings.data / "collections").create("other", "images", encoder.dim, "f" * 64).close()

    assert_problem(client.put("/collections/other"), 409, "collection_exists")


def test_a_collection_is_deleted(client: TestClient, settings: Settings) -> None:
    assert client.delete("/collections/mine").status_code == 204

    assert_problem(client.post("/search/mine", json={"text": "dog"}), 404, "collection_not_found")
    assert_problem(client.delete("/collections/mine"), 404, "collection_not_found")
    assert not (settings.data / "collections" / "mine").exists()
    assert client.put("/collections/mine").status_code == 201
    assert found(client, "dog") == []


def test_a_damaged_collection_can_be_deleted_or_restored(
    settings: Settings, make_client: MakeClient, encoder: FakeEncoder
) -> None:
    with make_client() as client:
        client.put("/collections/mine")
        store(client, *WORDS)
        file = snapshot(client)
    (settings.data / "collections" / "mine" / "manifest.json").write_text("{")
    (settings.data / "collections" / "odd" / "records.sqlite").write_text("?")
    with make_client() as client:
        assert_problem(client.post("/search/mine", json={"text": "dog"}), 503, "collection_damaged")
        assert_problem(restore(client, "mine", file), 409, "collection_exists")
        assert restore(client, "mine", file, replace=True).json()["status"] == "ready"
        assert found(client, "dog")[0] == "dog"
        assert client.delete("/collections/odd").status_code == 204
        assert "odd" not in client.get("/collections").text


def test_compacting_gives_back_what_was_deleted(client: TestClient, settings: Settings) -> None:
    kept = settings.data / "collections" / "mine" / "media"
    assert len(list(kept.rglob("*.png"))) == 3
    client.delete("/collections/mine/items/dog")
    answer = client.post("/collections/mine/compact").json()

    assert answer["collection"] == {"name": "mine", "version": 2, "count": 2}
    assert answer["bytes_after"] < answer["bytes_before"]
    assert len(list(kept.rglob("*.png"))) == 2
    assert found(client, "cat")[0] == "cat"
    assert client.get("/media/mine/cat").content == drawn("cat")
    store(client, "dog")
    assert found(client, "dog")[0] == "dog"


def test_a_snapshot_is_one_file_and_can_be_had(client: TestClient, settings: Settings) -> None:
    made = client.post("/collections/mine/snapshot").json()

    assert made["collection"] == {"name": "mine", "version": 1, "count": 3}
    listed = client.get("/snapshots").json()["snapshots"]
    assert listed == [{"name": made["name"], "bytes": made["bytes"]}]
    answer = client.get(f"/snapshots/{made['name']}")
    assert answer.content == (settings.snapshots / made["name"]).read_bytes()
    assert made["sha256"].encode() in answer.content[-100:]
    assert client.delete(f"/snapshots/{made['name']}").status_code == 204
    assert client.get("/snapshots").json() == {"snapshots": []}
    assert_problem(client.get(f"/snapshots/{made['name']}"), 404, "snapshot_not_found")


@pytest.mark.parametrize("name", ["nothing.snapshot", "..%2Fsecret", ".x.snapshot", "secret.txt", "link.snapshot"])
def test_only_snapshots_are_given_away(client: TestClient, settings: Settings, name: str) -> None:
    settings.snapshots.mkdir(exist_ok=True)
    (settings.snapshots / "secret.txt").write_text("secret")
    (settings.snapshots / "link.snapshot").symlink_to(settings.snapshots / "secret.txt")

    for answer in (client.get(f"/snapshots/{name}"), client.delete(f"/snapshots/{name}")):
        assert answer.status_code in (404, 405), answer.text
        assert "secret\n" not in answer.text
    assert client.get("/snapshots").json() == {"snapshots": []}
    if "%" not in name:
        assert_problem(restore(client, "new", name), 404, "snapshot_not_found")


def test_a_snapshot_is_restored_under_another_name(client: TestClient) -> None:
    answer = restore(client, "copy", snapshot(client))

    assert answer.json() == client.get("/collections/copy").json()
    assert found(client, "cat", "copy") == found(client, "cat")
    assert client.get("/media/copy/cat").content == drawn("cat")


def test_a_snapshot_is_restored_in_place(client: TestClient) -> None:
    file = snapshot(client)
    store(client, "rocket")
    client.delete("/collections/mine/items/dog")
    assert_problem(restore(client, "mine", file), 409, "collection_exists")
    answer = restore(client, "mine", file, replace=True)

    assert answer.json()["version"] == 4  # newer than all that was there
    assert sorted(found(client, "dog")) == sorted(WORDS)
    assert_problem(restore(client, "NEW", file), 422, "invalid_parameter")


def test_a_damaged_snapshot_replaces_nothing(client: TestClient, settings: Settings) -> None:
    path = settings.snapshots / snapshot(client)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    assert_problem(restore(client, "mine", path.name, replace=True), 422, "snapshot_damaged")
    assert found(client, "dog")[0] == "dog"
    assert_problem(restore(client, "new", path.name), 422, "snapshot_damaged")
    assert_problem(client.get("/collections/new"), 404, "collection_not_found")


def test_a_snapshot_of_another_model_is_not_restored_into_a_service(
    client: TestClient, settings: Settings, encoder: FakeEncoder
) -> None:
    with Store(settings.data / "collections").create("other", "images", encoder.dim, "f" * 64) as other:
        other.snapshot(settings.snapshots / "other.snapshot")

    assert_problem(restore(client, "mine", "other.snapshot", replace=True), 409, "model_mismatch")
    assert found(client, "dog")[0] == "dog"


def test_what_the_service_makes_itself_takes_no_items(
    client: TestClient, settings: Settings, encoder: FakeEncoder
) -> None:
    """They would be gone with the next start."""
    client.delete("/collections/images")
    Store(settings.data / "collections").create(
        "images", "images", encoder.dim, encoder.fingerprint, demo.DRAWINGS
    ).close()

    assert_problem(client.post("/collections/images/items", json=image("dog")), 409, "collection_not_yours")
    assert_problem(client.delete("/collections/images/items/dog"), 409, "collection_not_yours")
    assert client.delete("/collections/images").status_code == 204
    assert client.put("/collections/images").status_code == 201
    assert client.post("/collections/images/items", json=image("dog")).status_code == 200


def test_searches_go_on_while_a_collection_changes(client: TestClient, encoder: FakeEncoder) -> None:
    """Writes, compacting, snapshots and restoring in turn; every answer is of one of the two states."""
    file, done, seen = snapshot(client), threading.Event(), set[tuple[str, ...]]()

    def search() -> None:
        vector = encoder.vector("dog").tolist()
        while not done.is_set():
            answer = client.post("/search/mine", json={"vector": vector})
            assert answer.status_code == 200, answer.text
            seen.add(tuple(sorted(result["id"] for result in answer.json()["results"])))

    with ThreadPoolExecutor(2) as pool:
        searches = [pool.submit(search) for _ in range(2)]
        try:
            for turn in range(500):
                if turn >= 8 and len(seen) == 2:
                    break
                store(client, "rocket", "guitar")
                assert client.post("/collections/mine/compact").status_code == 200
                snapshot(client)
                assert restore(client, "mine", file, replace=True).status_code == 200
        finally:
            done.set()
        for one in searches:
            one.result()
    assert seen <= {tuple(sorted(WORDS)), tuple(sorted((*WORDS, "rocket", "guitar")))}
    assert len(seen) == 2


def test_the_folder_of_snapshots_may_be_anything_but_what_is_asked_for(client: TestClient, settings: Settings) -> None:
    assert client.get("/snapshots").json() == {"snapshots": []}
    Path(settings.snapshots).write_text("a file")

    assert client.get("/snapshots").json() == {"snapshots": []}
    assert_problem(client.post("/collections/mine/snapshot"), 503, "collection_unavailable")
    assert found(client, "dog")[0] == "dog"
