"""The default collections: made once, made good, made anew, and never at the cost of somebody's own."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.demo import DEFAULTS, is_default, prepare_collections
from app.demo import collections as demo
from index.records import Record, check_records
from index.store import Store
from models.images import decode_image
from tests.fake_encoder import WORDS, FakeEncoder, drawn

Steps = list[tuple[str, int, int]]


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lexicon of the words that the encoder knows, in the place of the shipped one."""
    drawings = folder / "app" / "demo" / "drawings"
    drawings.mkdir(parents=True)
    for word in WORDS:
        (drawings / f"id-{word}.webp").write_bytes(drawn(word, "WEBP"))
    monkeypatch.setattr(demo, "FOLDER", drawings.parent)
    monkeypatch.setattr(demo, "DRAWINGS", drawings)
    monkeypatch.setattr(demo, "BATCH", 2)
    write_lexicon(drawings.parent, *WORDS)
    return drawings.parent


def write_lexicon(folder: Path, *words: str) -> None:
    lines = [{"id": f"id-{word}", "symbol": word[0], "name": word, "keywords": [word[:2], "all"]} for word in words]
    (folder / "lexicon.json").write_text(json.dumps(lines))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install(tmp_path / "here", monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "collections")


def prepare(store: Store, encoder: FakeEncoder) -> Steps:
    """The steps that it told."""
    steps: Steps = []
    prepare_collections(store, encoder, lambda *step: steps.append(step))
    return steps


def ids(store: Store, name: str) -> list[str]:
    with store.open(name) as collection:
        return [record.id for record in collection.list(10_000)]


def test_a_first_start_makes_all_three(folder: Path, store: Store, encoder: FakeEncoder) -> None:
    prepare(store, encoder)

    assert store.names() == sorted(DEFAULTS)
    for name in DEFAULTS:
        with store.open(name, encoder.fingerprint) as collection:
            assert (collection.kind, collection.dim) == (name, encoder.dim)
            assert is_default(collection)
            id = "dog" if name == "keywords" else "id-dog"
            assert collection.search(encoder.vector("dog")[None], 1)[0][0].record.id == id
    with store.open("images") as images:
        assert images.get("id-cat") == Record("id-cat", "id-cat.webp", "cat", {"emoji": "c", "keywords": ["ca", "all"]})
    assert ids(store, "keywords") == sorted({"all", *WORDS, *(word[:2] for word in WORDS)})


def test_progress_is_told(folder: Path, store: Store, encoder: FakeEncoder) -> None:
    steps = prepare(store, encoder)

    assert [step for step in steps if step[0] == "indexing images"] == [
        ("indexing images", done, len(WORDS)) for done in (0, 2, 4, 5)
    ]


def test_a_second_start_has_nothing_to_do(folder: Path, store: Store, encoder: FakeEncoder) -> None:
    prepare(store, encoder)
    encoder.forget()
    prepare(store, encoder)

    assert encoder.batches == []


def test_a_start_that_was_cut_off_goes_on(folder: Path, store: Store, encoder: FakeEncoder) -> None:
    def stop(step: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_collections(store, encoder, stop)
    assert len(ids(store, "images")) == 2
    encoder.forget()

    prepare_collections(store, encoder, lambda *step: None, {"images"})
    assert sum(size for kind, size in encoder.batches if kind == "image") == len(WORDS) - 2
    assert len(ids(store, "images")) == len(WORDS)


def test_another_model_makes_them_anew(folder: Path, store: Store, encoder: FakeEncoder) -> None:
    prepare(store, encoder)
    other = FakeEncoder(8)
    prepare(store, other)

    for name in DEFAULTS:
        with store.open(name, other.fingerprint) as collection:
            assert collection.dim == 8


def test_an_installation_that_moved_makes_them_anew(
    folder: Path, store: Store, encoder: FakeEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(store, encoder)
    moved = install(tmp_path / "there", monkeypatch)
    prepare(store, encoder)

    with store.open("images") as collection:
        assert collection.media_root == moved / "drawings"


def test_a_lexicon_that_changed_is_followed(folder: Path, store: Store, encoder: FakeEncoder) -> None:
    prepare(store, encoder)
    write_lexicon(folder, "dog", "cat")
    text = (folder / "lexicon.json").read_text().replace('"name": "dog"', '"name": "hound"')
    (folder / "lexicon.json").write_text(text)
    encoder.forget()
    prepare(store, encoder)

    assert ids(store, "images") == ids(store, "captions") == ["id-cat", "id-dog"]
    assert ids(store, "keywords") == ["all", "ca", "cat", "do", "hound"]
    with store.open("captions") as collection:
        assert collection.search(encoder.vector("hound")[None], 1)[0][0].record.id == "id-dog"
    # A drawing, a caption and a keyword; the drawings that keywords name are those of the images.
    assert encoder.seen == ["dog", "hound", "hound"]


@pytest.mark.parametrize("media_root", [None, "photos"])
def test_somebody_s_own_collection_is_left_alone(
    folder: Path, store: Store, encoder: FakeEncoder, tmp_path: Path, media_root: str | None
) -> None:
    root = None if media_root is None else tmp_path / media_root
    with store.create("images", "images", 4, "f" * 64, root) as collection:
        assert not is_default(collection)
    prepare(store, encoder)

    assert ids(store, "captions")
    with store.open("images") as collection:
        assert (collection.count, collection.dim) == (0, 4)


def test_only_those_asked_for(folder: Path, store: Store, encoder: FakeEncoder) -> None:
    prepare_collections(store, encoder, lambda *_: None, {"captions", "mine"})

    assert store.names() == ["captions"]


def test_one_that_cannot_be_used_stops_none_of_the_others(
    folder: Path, store: Store, encoder: FakeEncoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prepare(store, encoder)
    (tmp_path / "collections" / "images" / "manifest.json").write_text("{")
    store.delete("keywords")
    with store.open("captions"), caplog.at_level(logging.ERROR, logger="app"):
        prepare(store, encoder)

    assert ids(store, "keywords")
    assert "'images' is damaged" in caplog.text
    assert "'captions' is open elsewhere" in caplog.text


def test_what_ships_is_whole(store: Store, encoder: FakeEncoder) -> None:
    drawings = demo.lexicon()
    plans = [
        demo._images(drawings, encoder),
        demo._captions(drawings, encoder),
        demo._keywords(drawings, encoder, store),
    ]

    assert len(drawings) > 1500
    for plan in plans:
        check_records(plan.records)
    assert {f"{drawing.id}.webp" for drawing in drawings} == {path.name for path in demo.DRAWINGS.glob("*.webp")}
    for drawing in drawings:
        with Image.open(demo.DRAWINGS / f"{drawing.id}.webp") as image:
            assert 64 <= min(image.size) <= max(image.size) <= 128
        assert drawing.name.strip() == drawing.name != ""
        assert all(keyword.strip() == keyword != "" for keyword in drawing.keywords)


def test_the_licence_of_the_drawings_ships_with_them() -> None:
    assert any("LICENSE" in path.name.upper() for path in (demo.FOLDER).rglob("*"))


def test_a_drawing_is_indexed_as_it_is_searched_with(
    folder: Path, store: Store, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would not be nearest to itself."""
    indexed: list[Image.Image] = []
    embed = encoder.embed_images

    def note(images: Sequence[Image.Image]) -> NDArray[np.float32]:
        indexed.extend(images)
        return embed(images)

    monkeypatch.setattr(encoder, "embed_images", note)
    prepare_collections(store, encoder, lambda *step: None, {"images"})

    asked = [decode_image((folder / "drawings" / f"id-{word}.webp").read_bytes())[0] for word in WORDS]
    assert [(image.mode, image.tobytes()) for image in indexed] == [(image.mode, image.tobytes()) for image in asked]


def test_drawings_are_embedded_once(folder: Path, store: Store, encoder: FakeEncoder) -> None:
    prepare(store, encoder)

    assert sum(size for kind, size in encoder.batches if kind == "image") == len(WORDS)


@pytest.mark.parametrize("state", ["absent", "open", "another model's", "somebody's own", "incomplete"])
def test_keywords_do_without_the_images(folder: Path, store: Store, encoder: FakeEncoder, state: str) -> None:
    prepare(store, encoder)
    with store.open("keywords") as collection:
        expected = collection.vector("all")
    store.delete("keywords")
    with contextlib.ExitStack() as stack:
        match state:
            case "open":
                stack.enter_context(store.open("images"))
            case "incomplete":
                with store.open("images") as images:
                    images.delete(["id-dog"])
            case _:
                store.delete("images")
        match state:
            case "another model's":
                prepare_collections(store, FakeEncoder(8), lambda *step: None, {"images"})
            case "somebody's own":
                store.create("images", "images", encoder.dim, encoder.fingerprint, folder).close()
        prepare_collections(store, encoder, lambda *step: None, {"keywords"})

    with store.open("keywords", encoder.fingerprint) as collection:
        np.testing.assert_allclose(collection.vector("all"), expected, atol=1e-6)


def test_a_keyword_lies_between_its_text_and_what_it_names(folder: Path, store: Store, encoder: FakeEncoder) -> None:
    prepare(store, encoder)

    drawings = np.mean([encoder.vector(word) for word in WORDS], axis=0)
    expected = encoder.vector("all") + demo.DRAWN_WEIGHT * drawings / np.linalg.norm(drawings)
    with store.open("keywords") as collection:
        np.testing.assert_allclose(collection.vector("all"), expected / np.linalg.norm(expected), atol=1e-5)
