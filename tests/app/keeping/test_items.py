"""Items put into a collection over HTTP: stored wholly or not at all, found at once, and there for good."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from index.store import Store
from tests.app.conftest import MakeClient
from tests.app.problems import assert_problem
from tests.fake_encoder import FakeEncoder, drawn, spoken

ITEMS = "/collections/mine/items"


def coded(data: bytes) -> dict[str, str]:
    return {"data": base64.b64encode(data).decode()}


def image(word: str, **more: object) -> dict[str, Any]:
    return {"image": coded(drawn(word)), **more}


@pytest.fixture
def client(make_client: MakeClient) -> Iterator[TestClient]:
    """A service of the test's own, with an empty collection of images."""
    with make_client() as client:
        assert client.put("/collections/mine").status_code == 201
        yield client


def listed(client: TestClient, name: str = "mine") -> list[str]:
    return [item["id"] for item in client.get(f"/collections/{name}/items").json()["items"]]


def found(client: TestClient, text: str, name: str = "mine") -> list[str]:
    answer = client.post(f"/search/{name}", json={"text": text})
    assert answer.status_code == 200, answer.text
    return [result["id"] for result in answer.json()["results"]]


def test_one_item_in_json(client: TestClient) -> None:
    answer = client.post(ITEMS, json=image("dog", id="a/b", caption="a dog", metadata={"price": 3}))

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "ids": ["a/b"],
        "created": 1,
        "replaced": 0,
        "collection": {"name": "mine", "version": 1, "count": 1},
    }
    item = client.get(f"{ITEMS}/a/b").json()
    assert item.pop("uri").startswith("media:")
    assert item == {"id": "a/b", "caption": "a dog", "metadata": {"price": 3}, "vector": None}
    assert found(client, "dog") == ["a/b"]


def test_a_batch_and_its_media(client: TestClient) -> None:
    answer = client.post(ITEMS, json={"items": [image("dog", id="d"), image("cat", id="c")]})

    assert answer.json()["ids"] == ["d", "c"]
    assert found(client, "cat") == ["c", "d"]
    media = client.get("/media/mine/c")
    assert (media.content, media.headers["content-type"]) == (drawn("cat"), "image/png")
    assert "sandbox" in media.headers["content-security-policy"]


def test_a_form_with_one_file(client: TestClient) -> None:
    answer = client.post(
        ITEMS, files={"file": ("my dog.png", drawn("dog"))}, data={"id": "d", "metadata": '{"colour": "red"}'}
    )

    assert answer.status_code == 200, answer.text
    item = client.get(f"{ITEMS}/d").json()
    assert (item["caption"], item["metadata"]) == ("my dog", {"colour": "red"})


def test_a_form_with_many_files(client: TestClient) -> None:
    files = [("image", ("x\\dog.png", drawn("dog"))), ("file", ("y/cat.jpg", drawn("cat", "JPEG", (64, 64))))]
    answer = client.post(ITEMS, files=files, data={"metadata": '{"lot": 7}'})

    assert answer.json()["created"] == 2
    items = {item["caption"]: item for item in client.get(ITEMS).json()["items"]}
    assert set(items) == {"dog", "cat"}
    assert all(item["metadata"] == {"lot": 7} and len(item["id"]) == 32 for item in items.values())
    assert client.get(f"/media/mine/{items['cat']['id']}").headers["content-type"] == "image/jpeg"


def test_the_bytes_of_a_file(client: TestClient) -> None:
    answer = client.post(f"{ITEMS}?id=d&caption=dog", content=drawn("dog"), headers={"Content-Type": "image/png"})

    assert answer.json()["ids"] == ["d"]
    assert found(client, "dog") == ["d"]


def test_texts_and_audio_go_into_collections_of_their_kinds(client: TestClient) -> None:
    for name, kind in (("words", "keywords"), ("sounds", "audio")):
        assert client.put(f"/collections/{name}", json={"kind": kind}).status_code == 201
    texts = {"items": [{"text": "dog", "id": "d"}, {"text": "cat"}]}
    assert client.post("/collections/words/items", json=texts).status_code == 200
    sound = client.post("/collections/sounds/items?id=s", content=spoken("dog"), headers={"Content-Type": "audio/wav"})
    assert sound.status_code == 200, sound.text

    assert client.get("/collections/words/items/d").json()["caption"] == "dog"
    assert found(client, "dog", "words")[0] == "d"
    assert client.get("/media/sounds/s").content == spoken("dog")


def test_vectors_are_given(client: TestClient, encoder: FakeEncoder) -> None:
    vector = (2.5 * encoder.vector("dog")).tolist()
    answer = client.post(ITEMS, json={"id": "d", "vector": vector, "uri": "https://example.org/dog.png"})

    assert answer.status_code == 200, answer.text
    item = client.get(f"{ITEMS}/d?include=vector").json()
    assert item["uri"] == "https://example.org/dog.png"
    np.testing.assert_allclose(item["vector"], encoder.vector("dog"), atol=1e-6)
    assert found(client, "dog") == ["d"]


def test_media_that_is_elsewhere_is_not_kept(client: TestClient) -> None:
    client.post(ITEMS, json=image("dog", id="d", uri="https://example.org/dog.png"))

    assert client.get(f"{ITEMS}/d").json()["uri"] == "https://example.org/dog.png"
    assert_problem(client.get("/media/mine/d"), 404, "media_not_found")


def test_what_has_an_id_that_is_there_replaces(client: TestClient) -> None:
    client.post(ITEMS, json=image("dog", id="x"))
    answer = client.post(ITEMS, json={"items": [image("cat", id="x"), image("dog", id="y")]})

    assert (answer.json()["created"], answer.json()["replaced"]) == (1, 1)
    assert found(client, "cat") == ["x", "y"]


def test_an_item_is_deleted(client: TestClient) -> None:
    client.post(ITEMS, json={"items": [image("dog", id="a/b"), image("cat", id="c")]})
    answer = client.delete(f"{ITEMS}/a/b")

    assert answer.json() == {"id": "a/b", "collection": {"name": "mine", "version": 2, "count": 1}}
    assert found(client, "dog") == ["c"]
    assert_problem(client.delete(f"{ITEMS}/a/b"), 404, "item_not_found")
    assert_problem(client.get(f"{ITEMS}/a/b"), 404, "item_not_found")


def test_a_listing_in_pages(client: TestClient, encoder: FakeEncoder) -> None:
    vector = encoder.vector("dog").tolist()
    items = [{"id": f"id {number:02} ü", "vector": vector} for number in range(25)]
    client.post(ITEMS, json={"items": items})

    ids, cursor = list[str](), None
    for _ in range(3):
        page = client.get(ITEMS, params={"limit": 10} | ({"cursor": cursor} if cursor else {})).json()
        ids += [item["id"] for item in page["items"]]
        cursor = page["cursor"]
    assert ids == [item["id"] for item in items]
    assert cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "*", "id 01", "AAAAAGE=", "ä"])
def test_a_made_up_cursor_is_refused(client: TestClient, cursor: str) -> None:
    assert_problem(client.get(ITEMS, params={"cursor": cursor}), 422, "invalid_parameter")


BAD = base64.b64encode(b"no image").decode()


@pytest.mark.parametrize(
    ("item", "status", "code", "field"),
    [
        ({"image": {"data": BAD}}, 415, "unsupported_media", "items.1.image"),
        ({"image": {"data": "%"}}, 422, "invalid_parameter", "items.1.image.data"),
        ({"text": "dog"}, 422, "invalid_parameter", "items.1.text"),
        ({"id": "v", "vector": [1.0]}, 422, "invalid_parameter", "items.1.vector"),
        ({"id": "v", "vector": [0.0] * 16}, 422, "invalid_parameter", "items.1.vector"),
        ({"vector": [1.0] * 16}, 422, "invalid_parameter", "items.1"),
        ({}, 422, "invalid_parameter", "items.1"),
        ({"id": "x" * 257, "vector": [1.0] * 16}, 422, "invalid_parameter", "items.1.id"),
        ({"id": "good", "vector": [1.0] * 16}, 422, "invalid_parameter", "items.1.vector"),
        ({"id": "v", "vector": [1.0] * 16, "price": 3}, 422, "invalid_parameter", "items.1.price"),
        ({"id": "v", "vector": [1.0] * 16, "metadata": [1]}, 422, "invalid_parameter", "items.1.metadata"),
        ({"id": "v", "vector": [1.0] * 16, "metadata": {"a": "x" * 70_000}}, 422, "invalid_parameter", "items.1"),
        ({**image("cat"), "uri": "media:x"}, 422, "invalid_parameter", "items.1"),
    ],
)
def test_one_bad_item_and_nothing_of_the_batch_is_stored(
    client: TestClient, item: dict[str, object], status: int, code: str, field: str
) -> None:
    answer = client.post(ITEMS, json={"items": [image("dog", id="good"), item]})

    problem = assert_problem(answer, status, code)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert listed(client) == []


def test_every_bad_item_is_told(client: TestClient) -> None:
    bad = {"image": {"data": BAD}}
    items = [bad if number % 10 == 3 else image("dog", id=str(number)) for number in range(40)]

    problem = assert_problem(client.post(ITEMS, json={"items": items}), 415, "unsupported_media")
    assert [error["field"] for error in problem["errors"]] == [f"items.{number}.image" for number in (3, 13, 23, 33)]


def test_what_the_model_breaks_on_is_pointed_at(client: TestClient, encoder: FakeEncoder) -> None:
    encoder.broken = lambda word: word == "cat"

    problem = assert_problem(client.post(ITEMS, json={"items": [image("dog"), image("cat")]}), 500, "encoding_failed")
    assert [error["field"] for error in problem["errors"]] == ["items.1.image"]
    assert listed(client) == []


def test_a_uri_of_kept_media_must_be_one(client: TestClient, encoder: FakeEncoder) -> None:
    client.post(ITEMS, json=image("dog", id="d"))
    item = {"id": "e", "vector": encoder.vector("dog").tolist()}
    kept = client.get(f"{ITEMS}/d").json()["uri"]

    assert client.post(ITEMS, json={**item, "uri": kept}).status_code == 200
    assert client.get("/media/mine/e").content == drawn("dog")
    lost = kept[:6] + "0" * 64 + ".png"
    assert_problem(client.post(ITEMS, json={**item, "uri": lost}), 422, "invalid_parameter")
    for uri in ("media:../../manifest.json", "media:"):
        answer = client.post(ITEMS, json={**item, "uri": uri})
        assert_problem(answer, 422, "invalid_parameter")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "malformed"),
        ({"content": b"[]", "headers": {"Content-Type": "application/json"}}, 400, "malformed"),
        ({"json": {"items": []}}, 422, "invalid_parameter"),
        ({"json": {"items": {}}}, 422, "invalid_parameter"),
        ({"json": {"items": [1]}}, 422, "invalid_parameter"),
        ({"json": {"items": [image("dog")], "id": "x"}}, 422, "invalid_parameter"),
        ({"content": b"", "headers": {"Content-Type": "image/png"}}, 400, "malformed"),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media"),
        ({"content": b"x", "headers": {"Content-Encoding": "gzip"}}, 415, "unsupported_media"),
        ({"files": {"other": b"x"}}, 422, "invalid_parameter"),
        ({"files": {"file": drawn("dog")}, "data": {"metadata": "{"}}, 422, "invalid_parameter"),
        ({"files": {"file": drawn("dog")}, "data": {"colour": "red"}}, 422, "invalid_parameter"),
        ({"files": [("file", drawn("dog")), ("file", drawn("cat"))], "data": {"id": "x"}}, 422, "invalid_parameter"),
        ({"files": {"file": drawn("dog")}, "data": {"id": "x"}, "params": {"id": "y"}}, 422, "invalid_parameter"),
        ({"json": image("dog"), "params": {"id": "y"}}, 422, "invalid_parameter"),
    ],
)  # fmt: skip
def test_bodies_that_are_no_items(client: TestClient, body: dict[str, Any], status: int, code: str) -> None:
    assert_problem(client.post(ITEMS, **body), status, code)
    assert listed(client) == []


def test_too_many_items_and_too_many_bytes(make_client: MakeClient) -> None:
    with make_client(max_items=3, max_batch_bytes=4096, max_body_bytes=2048) as client:
        client.put("/collections/mine")
        four = assert_problem(client.post(ITEMS, json={"items": [{}] * 4}), 422, "invalid_parameter")
        assert "3 are the most" in four["detail"]
        assert_problem(client.post(ITEMS, files=[("file", b"x")] * 4), 400, "malformed")
        raw = {"Content-Type": "image/png"}
        assert_problem(client.post(ITEMS, content=bytes(4097), headers=raw), 413, "body_too_large")
        assert_problem(client.post(ITEMS, content=bytes(4096), headers=raw), 415, "unsupported_media")
        assert_problem(client.post("/search/mine", content=bytes(2049), headers=raw), 413, "body_too_large")


def test_a_batch_with_a_key_is_stored_once(client: TestClient, encoder: FakeEncoder) -> None:
    batch, key = {"items": [image("dog", id="d"), image("cat")]}, {"Idempotency-Key": "lot-7"}
    first = client.post(ITEMS, json=batch, headers=key)
    client.delete(f"{ITEMS}/d")
    encoder.forget()
    again = client.post(ITEMS, json=batch, headers=key)

    assert again.json() == first.json()
    assert len(listed(client)) == 1
    assert encoder.batches == []
    other = client.post(ITEMS, json=image("dog"), headers=key)
    assert_problem(other, 422, "key_reused")
    for wrong in ("", "x" * 257, "a b"):
        assert_problem(client.post(ITEMS, json=batch, headers={"Idempotency-Key": wrong}), 422, "invalid_parameter")


def test_a_key_is_remembered_over_a_restart(make_client: MakeClient) -> None:
    batch, key = {"items": [image("dog", id="d")]}, {"Idempotency-Key": "lot-7"}
    answers = list[httpx2.Response]()
    for _ in range(2):
        with make_client() as client:
            client.put("/collections/mine")
            answers.append(client.post(ITEMS, json=batch, headers=key))
            assert found(client, "dog") == ["d"]
    assert answers[0].json() == answers[1].json()


def test_items_of_another_model_are_not_mixed_in(client: TestClient, encoder: FakeEncoder, settings: Any) -> None:
    with Store(settings.data / "collections").create("other", "images", encoder.dim, "f" * 64):
        pass

    assert_problem(client.post("/collections/other/items", json=image("dog")), 409, "model_mismatch")
    assert_problem(client.post("/collections/nothing/items", json=image("dog")), 404, "collection_not_found")
    for path in ("/collections/nothing/items", "/collections/nothing/items/x"):
        assert_problem(client.get(path), 404, "collection_not_found")


def test_queries_are_answered_while_a_batch_is_embedded(client: TestClient, encoder: FakeEncoder) -> None:
    """A batch never has more than one group of items with the encoder."""
    client.post(ITEMS, json={"items": [image("dog", id=str(number)) for number in range(20)]})

    assert [size for kind, size in encoder.batches if kind == "image"][-3:] != [20]
    assert max(size for _, size in encoder.batches) <= 8
