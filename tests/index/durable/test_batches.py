"""Batches with a key: stored once, however often they are sent, and remembered with what they stored."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from index.collection import Collection
from index.durable import batches
from index.durable.batches import Once, Receipt
from index.durable.media import SCHEME, name_of
from index.errors import BatchKeyReused, CollectionDamaged, InvalidRecord
from index.records import Record
from index.store import Store

EYE = np.eye(8, dtype=np.float32)
ONCE = Once("lot 7", "digest")


def put(collection: Collection, *ids: str, once: Once | None = ONCE) -> Receipt:
    return collection.put([Record(id) for id in ids], EYE[: len(ids)], once=once)


def test_a_batch_that_comes_again_is_not_stored_again(collection: Collection) -> None:
    first = put(collection, "a", "b")
    put(collection, "b", "c", once=None)
    collection.delete(["a"])

    assert first == Receipt(version=1, count=2, created=2, replaced=0)
    assert put(collection, "a", "b") == collection.receipt(ONCE) == first
    assert collection.version == 3
    assert [record.id for record in collection.list(9)] == ["b", "c"]


def test_a_receipt_tells_new_from_replaced(collection: Collection) -> None:
    put(collection, "a", "b")

    assert put(collection, "b", "c", "d", once=Once("lot 8", "x")) == Receipt(2, 4, created=2, replaced=1)
    assert collection.receipt(Once("lot 9", "x")) is None


def test_the_same_key_for_another_batch_is_refused(collection: Collection) -> None:
    put(collection, "a")
    other = Once(ONCE.key, "another")

    with pytest.raises(BatchKeyReused, match="lot 7"):
        put(collection, "b", once=other)
    with pytest.raises(BatchKeyReused):
        collection.receipt(other)
    assert collection.count == 1


def test_a_key_is_remembered_over_opening_compacting_and_restoring(store: Store, tmp_path: Path) -> None:
    with store.create("mine", "images", 8, "model") as collection:
        first = put(collection, "a")
    with store.open("mine") as collection:
        assert put(collection, "a") == first
        collection.compact()
        assert put(collection, "a") == first
        snapshot = collection.snapshot(tmp_path / "x.snapshot")
        collection.restore(snapshot)
        assert put(collection, "a") == first


def test_a_batch_that_was_undone_may_come_again(collection: Collection, tmp_path: Path) -> None:
    snapshot = collection.snapshot(tmp_path / "x.snapshot")
    put(collection, "a")
    collection.restore(snapshot)

    assert collection.count == 0
    assert put(collection, "a").created == 1
    assert collection.count == 1


def test_a_batch_that_is_refused_leaves_its_key_free(collection: Collection) -> None:
    missing = SCHEME + name_of(b"nowhere", ".png")
    with pytest.raises(InvalidRecord, match="which collection 'images' lacks"):
        collection.put([Record("a", missing)], EYE[:1], once=ONCE)

    assert collection.receipt(ONCE) is None
    assert put(collection, "a").created == 1


def test_only_the_newest_are_remembered(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_REMEMBERED", 3)
    for number in range(5):
        put(collection, "a", once=Once(str(number), ""))

    assert [collection.receipt(Once(str(number), "")) is None for number in range(5)] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_a_damaged_receipt_is_damage(store: Store, tmp_path: Path) -> None:
    with store.create("mine", "images", 8, "model") as collection:
        put(collection, "a")
    connection = sqlite3.connect(tmp_path / "collections" / "mine" / "records.sqlite")
    connection.execute("UPDATE batches SET version = 7")
    connection.commit()
    connection.close()

    with store.open("mine") as collection, pytest.raises(CollectionDamaged, match="lot 7"):
        collection.receipt(ONCE)
