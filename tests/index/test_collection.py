from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from index import derived
from index.collection import Collection
from index.durable.table import Table
from index.errors import (
    CollectionDamaged,
    CollectionError,
    InvalidRecord,
    InvalidVector,
    ItemNotFound,
    ModelMismatch,
    StorageFailed,
)
from index.ranking import Hit
from index.records import Record
from index.store import Store
from index.vectors import FaissIndex

UnitVectors = Callable[..., NDArray[np.float32]]
EYE = np.eye(8, dtype=np.float32)
DOG = Record("dog", uri="dog.png", caption="a dog", metadata={"legs": 4, "names": ["Rex", None]})
CAT = Record("cat", caption="a cat")


def found(collection: Collection, vector: NDArray[np.float32], k: int = 10) -> list[str]:
    return [hit.record.id for hit in collection.search(vector[np.newaxis], k)[0]]


def folder(collection: Collection, tmp_path: Path) -> Path:
    return tmp_path / "collections" / collection.name


@contextmanager
def full_disk(limit: int = 0) -> Iterator[None]:
    """No file can grow beyond `limit` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_new_collection_is_empty(collection: Collection) -> None:
    assert (collection.name, collection.kind, collection.dim, collection.fingerprint) == (
        "images",
        "images",
        8,
        "model-a",
    )
    assert (collection.count, collection.version, collection.media_root) == (0, 0, None)
    assert collection.search(EYE[:2], 5) == [[], []]
    assert collection.list(10) == []


def test_what_is_added_is_there(collection: Collection, unit_vectors: UnitVectors) -> None:
    vectors = unit_vectors(2)
    assert collection.add([DOG, CAT], vectors) == 1
    assert (collection.count, collection.version) == (2, 1)
    assert collection.get("dog") == DOG
    assert (collection.vector("cat") == vectors[1]).all()
    assert collection.vector("cat").flags.writeable


def test_hits_carry_whole_records_best_first(collection: Collection) -> None:
    collection.add([DOG, CAT], EYE[:2])
    assert collection.search(EYE[1:3], 2) == [[Hit(CAT, 1.0), Hit(DOG, 0.0)], [Hit(CAT, 0.0), Hit(DOG, 0.0)]]
    assert collection.search(EYE[:1], 1) == [[Hit(DOG, 1.0)]]
    assert collection.search(np.empty((0, 8), np.float32), 1) == []


def test_hits_carry_vectors_when_asked(collection: Collection, unit_vectors: UnitVectors) -> None:
    vectors = unit_vectors(2)
    collection.add([DOG, CAT], vectors)
    found = {hit.record.id: hit.vector for hit in collection.search(vectors[:1], 2, with_vectors=2)[0]}
    np.testing.assert_array_equal([found["dog"], found["cat"]], vectors)
    assert [hit.vector for hit in collection.search(vectors[:1], 2)[0]] == [None, None]


def test_ties_are_ordered_by_id_even_where_the_list_is_cut(collection: Collection) -> None:
    names = [f"{number:03}" for number in np.random.default_rng(0).permutation(300)]
    collection.add([Record(name) for name in names], np.repeat(EYE[:1], 300, axis=0))
    for k in (1, 7, 299, 300, 1000):
        assert found(collection, EYE[0], k) == sorted(names)[:k]


def test_adding_an_id_again_replaces_its_record_and_vector(collection: Collection) -> None:
    collection.add([DOG, CAT], EYE[:2])
    assert collection.add([Record("dog", caption="another dog")], EYE[2:3]) == 2
    assert collection.count == 2
    assert collection.search(EYE[2:3], 1) == [[Hit(Record("dog", caption="another dog"), 1.0)]]
    assert collection.search(EYE[:1], 1)[0][0].score == 0.0


def test_what_is_deleted_is_gone(collection: Collection) -> None:
    collection.add([DOG, CAT], EYE[:2])
    assert collection.delete(["dog", "nobody", "dog"]) == 1
    assert (collection.count, collection.version) == (1, 2)
    assert found(collection, EYE[0]) == ["cat"]
    with pytest.raises(ItemNotFound, match="collection 'images' has no item 'dog'"):
        collection.get("dog")
    with pytest.raises(ItemNotFound):
        collection.vector("dog")


def test_deleting_nothing_changes_nothing(collection: Collection) -> None:
    collection.add([DOG], EYE[:1])
    assert collection.delete([]) == 0
    assert collection.delete(["nobody", "\ud800"]) == 0
    assert collection.version == 1


def test_adding_nothing_changes_nothing(collection: Collection) -> None:
    assert collection.add([], np.empty((0, 8), np.float32)) == 0


def test_records_are_listed_in_pages_by_id(collection: Collection, unit_vectors: UnitVectors) -> None:
    names = ["b", "a", "中", "aa", "Z", "é", "🐕", "\uffff"]
    collection.add([Record(name) for name in names], unit_vectors(8))
    pages, after = list[str](), None
    while page := collection.list(3, after):
        pages += [record.id for record in page]
        after = pages[-1]
    assert pages == sorted(names)
    assert [record.id for record in collection.list(1, "aaa-not-there")] == ["b"]


def test_an_id_that_cannot_be_is_not_found(collection: Collection) -> None:
    with pytest.raises(ItemNotFound):
        collection.get("\ud800")
    with pytest.raises(InvalidRecord):
        collection.list(1, "\ud800")


@pytest.mark.parametrize(
    ("records", "vectors", "error"),
    [
        ([DOG, CAT], EYE[:1], InvalidRecord),
        ([DOG], EYE[:0], InvalidRecord),
        ([], EYE[:1], InvalidRecord),
        ([DOG, Record("")], EYE[:2], InvalidRecord),
        ([DOG, DOG], EYE[:2], InvalidRecord),
        ([DOG, CAT], EYE[:2] * [[1], [2]], InvalidVector),
        ([DOG], EYE[0], InvalidRecord),
        ([DOG], EYE[:1, :7], ModelMismatch),
    ],
)
def test_a_batch_with_anything_wrong_in_it_is_refused_whole(
    collection: Collection, records: list[Record], vectors: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        collection.add(records, vectors)
    assert (collection.count, collection.version) == (0, 0)


@pytest.mark.parametrize(
    ("vectors", "error"), [(EYE[:1, :4], ModelMismatch), (EYE[:1] * 2, InvalidVector), (EYE[0], InvalidVector)]
)
def test_a_query_is_checked_like_any_vector(collection: Collection, vectors: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        collection.search(vectors, 1)


def test_nothing_at_all_cannot_be_asked_for(collection: Collection) -> None:
    with pytest.raises(ValueError, match="k is at least 1"):
        collection.search(EYE[:1], 0)
    with pytest.raises(ValueError, match="limit is at least 1"):
        collection.list(0)


def test_another_model_is_refused_and_told_what_to_do(collection: Collection) -> None:
    collection.require("model-a")
    with pytest.raises(ModelMismatch, match="made by model model-a, not by model-b: use that model, or delete"):
        collection.require("model-b")


def test_the_callers_array_stays_his_own(collection: Collection) -> None:
    mine = EYE[:1].copy()
    collection.add([DOG], mine)
    mine[:] = EYE[1:2]
    assert collection.search(EYE[:1], 1) == [[Hit(DOG, 1.0)]]


def test_a_closed_collection_says_so(collection: Collection) -> None:
    collection.close()
    collection.close()
    uses: list[Callable[[], object]] = [
        lambda: collection.add([DOG], EYE[:1]),
        lambda: collection.delete(["dog"]),
        lambda: collection.get("dog"),
        lambda: collection.list(1),
        lambda: collection.search(EYE[:1], 1),
        collection.flush,
    ]
    for use in uses:
        with pytest.raises(CollectionError, match="'images' is closed"):
            use()


def test_flush_writes_one_index_file_for_the_version(collection: Collection, tmp_path: Path) -> None:
    for number in range(3):
        collection.add([Record(str(number))], EYE[number : number + 1])
        collection.flush()
        collection.flush()
    assert [path.name for path in folder(collection, tmp_path).glob("index*")] == ["index-3.faiss"]


def test_reopened_it_is_the_same_without_reading_the_records(
    store: Store, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.add([DOG, CAT], EYE[:2])
    collection.close()
    monkeypatch.delattr(Table, "chunks")
    with store.open("images") as again:
        assert (again.count, again.version) == (2, 1)
        assert found(again, EYE[1]) == ["cat", "dog"]


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"IxM2")])
def test_the_index_is_derived_again_when_it_is_gone_or_damaged(
    store: Store, collection: Collection, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    collection.add([DOG, CAT], EYE[:2])
    collection.close()
    path = folder(collection, tmp_path) / "index-1.faiss"
    whole = path.read_bytes()
    spoil(path)
    with store.open("images") as again:
        assert found(again, EYE[1]) == ["cat", "dog"]
    assert path.read_bytes() == whole


def test_the_index_is_derived_again_when_it_is_stale(
    store: Store, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.add([DOG], EYE[:1])
    collection.flush()
    collection.add([CAT], EYE[1:2])
    with monkeypatch.context() as patch:
        patch.setattr(Collection, "_flush", lambda self: None)
        collection.close()
    with store.open("images") as again:
        assert found(again, EYE[1]) == ["cat", "dog"]


def test_records_older_than_the_index_are_damage(store: Store, collection: Collection, tmp_path: Path) -> None:
    collection.add([DOG], EYE[:1])
    collection.close()
    path = folder(collection, tmp_path) / "records.sqlite"
    old = path.read_bytes()
    with store.open("images") as again:
        again.add([CAT], EYE[1:2])
    path.write_bytes(old)
    with pytest.raises(CollectionDamaged, match=r"at version 1, older than its index \(2\)"):
        store.open("images")


@pytest.mark.parametrize("stage", ["remove", "add"])
def test_an_interruption_between_disk_and_memory_leaves_no_wrong_index(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    collection.add([DOG], EYE[:1])
    with monkeypatch.context() as patch:
        patch.setattr(FaissIndex, stage, interrupt)
        with pytest.raises(KeyboardInterrupt):
            collection.add([DOG, CAT], EYE[1:3])
        collection.flush()
    assert found(collection, EYE[2]) == ["cat", "dog"]
    assert (collection.count, collection.version) == (2, 2)


def test_a_full_disk_refuses_a_batch_and_keeps_the_rest(collection: Collection, unit_vectors: UnitVectors) -> None:
    collection.add([DOG], EYE[:1])
    many = [Record(f"r{number}") for number in range(500)]
    with full_disk(), pytest.raises(StorageFailed, match=r"records\.sqlite of 'images'"):
        collection.add(many, unit_vectors(500))
    assert (collection.count, collection.version) == (1, 1)
    assert found(collection, EYE[0]) == ["dog"]
    assert collection.add(many, unit_vectors(500)) == 2
    assert collection.count == 501


def test_a_full_disk_fails_a_flush_and_nothing_else(
    store: Store, collection: Collection, unit_vectors: UnitVectors
) -> None:
    collection.add([Record(f"r{number}") for number in range(500)], unit_vectors(500))
    collection.flush()
    collection.delete(["r0"])
    with full_disk(4096), pytest.raises(StorageFailed):
        collection.flush()
    assert collection.count == 499
    with full_disk(4096), pytest.raises(StorageFailed):
        collection.close()
    with store.open("images") as again:
        assert (again.count, again.version) == (499, 2)
        assert "r0" not in found(again, EYE[0], 500)


def test_a_rebuilt_index_is_reported(
    store: Store, collection: Collection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    collection.add([DOG], EYE[:1])
    collection.close()
    (folder(collection, tmp_path) / "index-1.faiss").write_bytes(b"")
    store.open("images").close()
    assert [(record.name, record.levelname) for record in caplog.records] == [(derived.__name__, "WARNING")]
    assert "index-1.faiss" in caplog.text
