"""`speechclip collections copy`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest

from app.cli import copying
from app.settings import Settings
from index.address import open_store
from index.backend import Collection
from index.milvus import rows
from index.records import Record
from tests.app.cli_runner import Speechclip, make_speechclip
from tests.fake_encoder import FakeEncoder

COUNT = 25
KEPT = f"{'0' * 64}.png"


@pytest.fixture
def speechclip(settings: Settings, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch) -> Speechclip:
    monkeypatch.setattr(copying, "PAGE", 10)
    speechclip = make_speechclip(settings.data, encoder, monkeypatch)
    with opened("faiss", settings.data, make=True) as collection:
        records = [Record(f"{row:02}", f"{row}.png", f"no. {row}", {"n": row}) for row in range(COUNT)]
        collection.add(records, vectors(COUNT))
        collection.put([Record("kept", f"media:{KEPT}")], vectors(1), {KEPT: b"image"})
    return speechclip


def vectors(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    drawn = np.random.default_rng(0).standard_normal((count, 4))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


@contextmanager
def opened(store: str, data: Path, make: bool = False) -> Iterator[Collection]:
    with (
        closing(open_store(store, data)) as found,
        found.create("mine", "images", 4, "model", data) if make else found.open("mine") as collection,
    ):
        yield collection


def all_of(store: str, data: Path) -> list[tuple[Record, list[float]]]:
    with opened(store, data) as collection:
        return [(record, collection.vector(record.id).tolist()) for record in collection.list(99)]


def test_a_collection_goes_to_milvus_and_back(speechclip: Speechclip, tmp_path: Path) -> None:
    result = speechclip.run("collections", "copy", "mine", "--to", "milvus-lite")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "mine: 26 copied, 0 there already; 26 in all at milvus-lite" in result.stderr
    assert all_of("milvus-lite", speechclip.data) == all_of("faiss", speechclip.data)
    with opened("milvus-lite", speechclip.data) as copied:
        kept = copied.media(f"media:{KEPT}")
        assert (copied.kind, copied.fingerprint, copied.media_root) == ("images", "model", speechclip.data)
        assert kept is not None
        assert kept.read_bytes() == b"image"

    there = f"milvus-lite:{speechclip.data / 'milvus.db'}"
    with closing(open_store("faiss", speechclip.data)) as store:
        store.delete("mine")
    result = speechclip.run("collections", "copy", "mine", "--from", there, "--to", "faiss")

    assert result.exit_code == 0
    assert all_of("faiss", speechclip.data) == all_of("milvus-lite", speechclip.data)


def test_a_copy_goes_on_where_it_stopped_and_follows_what_has_changed(
    speechclip: Speechclip, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(copying, "_missing", stopping_after(1))
        assert speechclip.run("collections", "copy", "mine", "--to", "milvus-lite").exit_code != 0
    with opened("faiss", speechclip.data) as collection:
        collection.add([Record("03", caption="other")], vectors(4)[3:])

    result = speechclip.run("collections", "copy", "mine", "--to", "milvus-lite")

    assert "mine: 17 copied, 9 there already; 26 in all" in result.stderr
    assert all_of("milvus-lite", speechclip.data) == all_of("faiss", speechclip.data)


def stopping_after(pages: int) -> object:
    original, asked = copying._missing, 0

    def missing(*arguments: object) -> object:
        nonlocal asked
        asked += 1
        if asked > pages:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    return missing


def test_on_ctrl_c_it_ends_with_the_page_that_it_is_at(speechclip: Speechclip, monkeypatch: pytest.MonkeyPatch) -> None:
    pressed = threading.Event()
    pressed.set()
    monkeypatch.setattr(copying, "stoppable", lambda: nullcontext(pressed))

    result = speechclip.run("collections", "copy", "mine", "--to", "milvus-lite")

    assert result.exit_code == 130
    assert "stopped after 10 of 26; the same command goes on" in result.stderr


def test_a_page_too_large_for_one_batch_goes_in_parts(speechclip: Speechclip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_BYTES_OF_A_BATCH", 100)

    assert speechclip.run("collections", "copy", "mine", "--to", "milvus-lite").exit_code == 0
    assert all_of("milvus-lite", speechclip.data) == all_of("faiss", speechclip.data)


def test_files_go_in_batches_that_memory_has_room_for(speechclip: Speechclip, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number:064}.png" for number in range(5)]
    with opened("faiss", speechclip.data) as collection:
        records = [Record(f"media-{number}", f"media:{name}") for number, name in enumerate(names)]
        collection.put(records, vectors(5), dict.fromkeys(names, b"ten bytes!"))
        batches = list(copying._batches(collection, [(record, vectors(1)[0]) for record in records]))
        assert [len(batch) for batch in batches] == [5]
        monkeypatch.setattr(copying, "MOST_MEDIA", 20)
        batches = list(copying._batches(collection, [(record, vectors(1)[0]) for record in records]))
        assert [len(batch) for batch in batches] == [2, 2, 1]

    assert speechclip.run("collections", "copy", "mine", "--to", "milvus-lite").exit_code == 0
    assert all_of("milvus-lite", speechclip.data) == all_of("faiss", speechclip.data)


def test_a_record_that_the_other_store_refuses_is_told_and_the_others_are_copied(speechclip: Speechclip) -> None:
    with opened("faiss", speechclip.data) as collection:
        collection.add([Record("07", metadata={"long": "x" * 70_000})], vectors(8)[7:])

    result = speechclip.run("collections", "copy", "mine", "--to", "milvus-lite")

    assert result.exit_code == 1
    assert "Refused: the metadata of '07'" in result.stderr
    assert "mine: 25 copied, 0 there already; 25 in all" in result.stderr
    assert "1 were refused there." in result.stderr


def test_what_cannot_be_copied_is_told(speechclip: Speechclip) -> None:
    assert "in faiss already" in speechclip.refused("collections", "copy", "mine", "--to", "faiss")
    assert "no collection 'other'" in speechclip.refused("collections", "copy", "other", "--to", "milvus-lite")
    assert "a store is faiss" in speechclip.refused("collections", "copy", "mine", "--to", "redis://x")
    assert "a store is faiss" in speechclip.refused("collections", "copy", "mine", "--from", "x", "--to", "faiss")
    with closing(open_store("milvus-lite", speechclip.data)) as store:
        store.create("mine", "images", 4, "another").close()
    assert "made by model another" in speechclip.refused("collections", "copy", "mine", "--to", "milvus-lite")
