"""`speechclip items`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.demo import collections as demo
from app.settings import Settings
from index.store import Store
from tests.app.cli_runner import Speechclip, make_speechclip
from tests.fake_encoder import FakeEncoder, drawn, spoken


@pytest.fixture
def speechclip(settings: Settings, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch) -> Speechclip:
    """With an empty collection of every kind."""
    store = Store(settings.data / "collections")
    store.create("pictures", "images", encoder.dim, encoder.fingerprint).close()
    store.create("sounds", "audio", encoder.dim, encoder.fingerprint).close()
    store.create("words", "keywords", encoder.dim, encoder.fingerprint).close()
    return make_speechclip(settings.data, encoder, monkeypatch)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for word in ("dog", "cat"):
        (folder / f"{word}.png").write_bytes(drawn(word))
        (folder / f"{word}.wav").write_bytes(spoken(word))
    return folder


def test_images_are_stored_and_found(speechclip: Speechclip, files: Path) -> None:
    answer = speechclip.json(
        "items", "add", "pictures", files / "dog.png", files / "cat.png", "--metadata", '{"lot": 7}'
    )

    assert (answer["created"], answer["replaced"], answer["collection"]["count"]) == (2, 0, 2)
    item = json.loads(speechclip.run("items", "get", "pictures", answer["ids"][0]).stdout)
    assert (item["caption"], item["metadata"]) == ("dog", {"lot": 7})
    found = speechclip.json("search", files / "cat.wav", "--collection", "pictures")["results"]
    assert found[0]["id"] == answer["ids"][1]
    assert speechclip.json("items", "add", "pictures", files / "dog.png")["replaced"] == 1


def test_sounds_and_words(speechclip: Speechclip, files: Path) -> None:
    assert speechclip.run("items", "add", "sounds", files / "dog.wav", "--id", "d").stdout == "d\n"
    assert len(speechclip.json("items", "add", "words", "dog", "a cat")["ids"]) == 2

    items = speechclip.json("items", "list", "words")["items"]
    assert {item["caption"] for item in items} == {"dog", "a cat"}
    assert speechclip.json("items", "add", "sounds", "-", "--caption", "x", stdin=spoken("cat"))["created"] == 1


def test_items_are_listed_and_deleted(speechclip: Speechclip, files: Path) -> None:
    for id in ("a", "b", "c"):
        speechclip.run("items", "add", "pictures", files / "dog.png", "--id", id)

    assert [item["id"] for item in speechclip.json("items", "list", "pictures", "--limit", 2)["items"]] == ["a", "b"]
    assert [item["id"] for item in speechclip.json("items", "list", "pictures", "--after", "b")["items"]] == ["c"]
    assert "1 of 2 deleted" in speechclip.run("items", "delete", "pictures", "b", "nothing").stderr
    assert speechclip.run("items", "list", "pictures").stdout.split()[:4:3] == ["id", "a"]
    assert "no item 'b'" in speechclip.refused("items", "get", "pictures", "b")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("pictures", "a text"), "a collection of images takes image and vector, not text"),
        (("pictures", "dog.wav"), "not audio"),
        (("words", "dog.png"), "not image"),
        (("pictures", "notes.txt"), "audio"),
        (("pictures", "nothing.png"), "there is no file"),
        (("pictures", "dog.png", "cat.png", "--id", "x"), "about one item"),
        (("pictures", "dog.png", "--metadata", "{"), "not JSON"),
        (("pictures", "dog.png", "--metadata", "[]"), "metadata"),
        (("pictures", "dog.png", "dog.png"), "comes twice"),
        (("nothing", "dog.png"), "no collection 'nothing'"),
        (("pictures", "dog.png", "--id", "x" * 257), "id"),
    ],
)
def test_what_cannot_be_stored(speechclip: Speechclip, files: Path, arguments: tuple[str, ...], reason: str) -> None:
    (files / "notes.txt").write_bytes(b"\x00notes")
    paths = [files / one if one.endswith((".png", ".wav", ".txt")) else one for one in arguments]

    assert reason in speechclip.refused("items", "add", *paths)
    assert speechclip.json("items", "list", "pictures") == {"items": []}


def test_a_default_collection_takes_none(speechclip: Speechclip, encoder: FakeEncoder, files: Path) -> None:
    store = Store(speechclip.data / "collections")
    store.delete("images")
    store.create("images", "images", encoder.dim, encoder.fingerprint, demo.DRAWINGS).close()

    assert "makes for itself" in speechclip.refused("items", "add", "images", files / "dog.png")
    assert "makes for itself" in speechclip.refused("items", "delete", "images", "dog")


def test_what_a_service_has_open_is_left_to_it(speechclip: Speechclip, files: Path) -> None:
    with Store(speechclip.data / "collections").open("pictures"):
        assert "speechclip serve" in speechclip.refused("items", "add", "pictures", files / "dog.png")


def test_a_file_that_is_too_large_for_a_batch_is_told_by_that_limit(speechclip: Speechclip) -> None:
    assert "SPEECHCLIP_MAX_BATCH_BYTES" in speechclip.refused("items", "add", "pictures", "/dev/zero")
