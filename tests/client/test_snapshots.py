"""Whole collections in files, by both clients and of the real application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from index.records import Record
from index.store import Store
from speechclip_client.errors import CollectionExists, SnapshotDamaged, SnapshotNotFound
from tests.client.conftest import Ask
from tests.fake_encoder import FakeEncoder

ENCODER = FakeEncoder()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A snapshot that somebody has on another machine."""
    store = Store(tmp_path / "collections")
    with store.create("kept", "captions", ENCODER.dim, ENCODER.fingerprint) as collection:
        collection.add([Record("dog", caption="dog"), Record("cat", caption="cat")], vectors("dog", "cat"))
        return collection.snapshot(tmp_path / "kept.snapshot").path


@pytest.fixture(autouse=True)
def _tidy(ask: Ask) -> Iterator[None]:
    yield
    for one in ask("list_snapshots"):
        ask("delete_snapshot", one.name)
    for name in {"kept", "copy"} & {one.name for one in ask("list_collections")}:
        ask("delete_collection", name)


def vectors(*words: str) -> np.ndarray:
    return np.stack([ENCODER.vector(word) for word in words])


def test_a_snapshot_is_sent_and_restored(ask: Ask, kept: Path) -> None:
    sent = ask("send_snapshot", kept)

    assert (sent.collection.name, sent.collection.count, sent.bytes) == ("kept", 2, kept.stat().st_size)
    assert [(one.name, one.bytes) for one in ask("list_snapshots")] == [(sent.name, sent.bytes)]
    assert ask("restore_collection", "copy", sent.name).count == 2
    assert ask("search", "copy", text="cat", top_k=1).results[0].id == "cat"
    with pytest.raises(CollectionExists):
        ask("restore_collection", "copy", sent.name)
    assert ask("restore_collection", "copy", sent.name, replace=True).version > 1


def test_a_snapshot_is_made_and_deleted(ask: Ask, kept: Path) -> None:
    ask("restore_collection", "kept", ask("send_snapshot", kept.read_bytes()).name)
    made = ask("make_snapshot", "kept")

    assert made.collection.count == 2
    ask("delete_snapshot", made.name)
    assert made.name not in {one.name for one in ask("list_snapshots")}
    with pytest.raises(SnapshotNotFound):
        ask("restore_collection", "copy", made.name)


def test_a_damaged_one_is_refused(ask: Ask, kept: Path) -> None:
    with pytest.raises(SnapshotDamaged):
        ask("send_snapshot", kept.read_bytes()[:-1])
    assert ask("list_snapshots") == ()
