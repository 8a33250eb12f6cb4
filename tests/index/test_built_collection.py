"""Building the index of a collection that serves: all of it or nothing, and no search sees half."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from index import derived
from index.collection import Collection
from index.durable.locks import Gate
from index.durable.snapshot import Snapshot
from index.durable.table import Table
from index.errors import BuildFailed, CollectionError, InvalidRecipe, RecallMissed, StorageFailed
from index.large import building, layered, renewal
from index.large.builder import Builder
from index.large.building import Order
from index.large.layered import LayeredIndex
from index.large.tuning import Recall
from index.manifest import BaseFiles, Manifest
from index.store import Store
from tests.index.built_base import clustered
from tests.index.built_collection import COUNT, DIM, change, folder, recall, record
from tests.patience import WAIT_S


def test_what_was_built_is_said_and_no_other_index_is_kept(store: Store, large: Collection) -> None:
    large.build("IVF-SQ8", 0.9)
    manifest = Manifest.read(folder(store))
    assert isinstance(manifest.index, BaseFiles)
    assert manifest.index.built == large.built
    assert (manifest.recipe, manifest.recall) == ("IVF-SQ8", 0.9)
    assert large.built is not None
    assert (large.built.queries, large.built.setting.nprobe is None) == (large.count, False)
    names = {path.name for path in folder(store).glob("*-*") if path.suffix in (".faiss", ".f32")}
    assert names == {manifest.index.vectors_name, manifest.index.index_name}


def test_a_refused_build_leaves_the_index_that_was_there(
    store: Store, large: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, hits = Manifest.read(folder(store)), large.search(clustered(3), 5)
    monkeypatch.setattr("index.large.tuning.recall_of", lambda *_: Recall(0.5, 0.5))
    with pytest.raises(RecallMissed, match=r"reaches a recall@10 of 0\.500, not 0\.99"):
        large.build("IVF-SQ8", 0.99)
    monkeypatch.setattr(
        "index.large.tuning.recall_of", lambda base, asked: Recall(*[len(asked.places) > derived.PROBES] * 2)
    )
    with pytest.raises(BuildFailed, match=r"it was loaded, and has 0\.000"):
        large.build("IVF-SQ8", 0.99)
    assert Manifest.read(folder(store)) == before
    assert large.search(clustered(3), 5) == hits
    large.close()
    with store.open("large") as again:
        assert again.search(clustered(3), 5) == hits


def test_nothing_cannot_be_built_of(collection: Collection) -> None:
    with pytest.raises(InvalidRecipe, match="has no records"):
        collection.build("IVF-SQ8")


def test_back_to_comparing_everything(store: Store, large: Collection) -> None:
    large.build("Flat")
    assert (large.recipe, large.built, recall(large)) == ("Flat", None, 1.0)
    large.close()
    with store.open("large") as again:
        assert recall(again) == 1.0
        assert not list(folder(store).glob("vectors-*"))


def test_much_change_is_built_into_a_new_base(store: Store, large: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "DELAY_S", 0.0)
    monkeypatch.setattr(layered, "FEWEST_CHANGES", 150)
    monkeypatch.setattr(layered, "CHANGED_SHARE", 0.0)
    before = large._index
    change(large, 3)
    large._renewal.join()
    assert isinstance(large._index, LayeredIndex)
    assert large._index is not before
    assert not large._index.is_worn
    assert recall(large) >= 0.8


def test_a_lost_index_is_built_again_in_the_background(
    store: Store, large: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    large.close()
    next(folder(store).glob("index-*")).unlink()
    monkeypatch.setattr(renewal, "DELAY_S", 0.0)
    with store.open("large") as again:
        again._renewal.join()
        assert again.built is not None


def test_changes_during_a_build_are_in_the_new_index(large: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    build = building.build

    def slow(order: Order, tell: building.Tell) -> BaseFiles:
        done = build(order, tell)
        change(large, 3)
        return done

    monkeypatch.setattr(building, "build", slow)
    large.build("IVF-SQ8", 0.9)
    assert large.get(record(0).id).metadata["version"] == 3
    assert recall(large) >= 0.8


def test_compacting_just_as_the_records_are_opened_is_waited_for(
    large: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def late(folder: Path, dim: int, name: str) -> Table:
        if not opened:
            large.compact()
        opened.append(name)
        return Table(folder, dim, name)

    monkeypatch.setattr(building, "Table", late)
    large.build("IVF-SQ8", 0.9)
    assert opened == ["records.sqlite", "records-1.sqlite"]
    assert recall(large) >= 0.8


@pytest.mark.parametrize("when", ["before", "after"])
def test_compacting_during_a_build_disturbs_nothing(
    store: Store, large: Collection, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    build = building.build

    def compacted(order: Order, tell: building.Tell) -> BaseFiles:
        if when == "before":
            large.compact()
        done = build(order, tell)
        if when == "after":
            large.compact()
        change(large, 3)
        return done

    monkeypatch.setattr(building, "build", compacted)
    large.build("IVF-SQ8", 0.9)
    assert large.built is not None
    assert recall(large) >= 0.8
    large.close()
    with store.open("large") as again:
        assert again.built is not None
        assert again.get(record(0).id).metadata["version"] == 3
        assert recall(again) >= 0.8


def test_what_was_restored_during_a_build_is_not_searched_with_it(
    large: Collection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    large.snapshot(tmp_path / "snapshot")
    snapshot, build = Snapshot(tmp_path / "snapshot"), building.build

    def slow(order: Order, tell: building.Tell) -> BaseFiles:
        done = build(order, tell)
        large.restore(snapshot)
        return done

    change(large, 3)
    monkeypatch.setattr(building, "build", slow)
    with pytest.raises(BuildFailed, match="other records"):
        large.build("IVF-SQ8", 0.9)
    assert recall(large) >= 0.8


def test_a_restored_or_compacted_collection_keeps_its_recipe(store: Store, large: Collection, tmp_path: Path) -> None:
    large.compact()
    assert recall(large) >= 0.8
    change(large, 3)
    large.snapshot(tmp_path / "snapshot")
    with store.restore(Snapshot(tmp_path / "snapshot"), "other") as other:
        assert other.recipe == "HNSW-SQ8"
        assert recall(other) == 1.0
        other.build("HNSW-SQ8", 0.9)
        assert recall(other) >= 0.8
    large.restore(Snapshot(tmp_path / "snapshot"))
    assert recall(large) == 1.0


def test_closing_gives_up_a_build(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = store.create("large", "images", DIM, "model")
    collection.add([record(number) for number in range(COUNT)], clustered(COUNT))
    started, cancelled, cancel = threading.Event(), threading.Event(), Builder.cancel

    def note(builder: Builder) -> None:
        cancel(builder)
        cancelled.set()

    def hold(*_: object) -> None:
        started.set()
        assert cancelled.wait(WAIT_S)

    monkeypatch.setattr(Builder, "cancel", note)
    with ThreadPoolExecutor(1) as pool:
        build = pool.submit(collection.build, "HNSW", 0.9, hold)
        assert started.wait(WAIT_S)
        collection.close()
        with pytest.raises(BuildFailed, match="cancelled"):
            build.result()
    with store.open("large") as again:
        assert again.recipe == "Flat"
        assert not list(folder(store).glob(".building-*"))
    with pytest.raises(CollectionError):
        collection.build("Flat")


def test_a_manifest_that_cannot_be_written_changes_nothing(
    store: Store, large: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no")

    before, names = large._index, sorted(path.name for path in folder(store).iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "write", refuse)
        with pytest.raises(StorageFailed):
            large.build("IVF-SQ8", 0.9)
    assert large._index is before
    assert sorted(path.name for path in folder(store).iterdir()) == names
    assert recall(large) >= 0.8


def test_a_hundred_swaps_under_load_and_every_answer_is_right(
    store: Store, in_this_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vectors move with every version; a search sees one version, whole, from whichever index."""
    monkeypatch.setattr("index.large.tuning.QUERIES", 10)
    axes, done, searches = np.eye(DIM, dtype=np.float32), threading.Event(), [0, 0]

    def turn(collection: Collection, version: int) -> None:
        records = [record(number, version) for number in range(64)]
        collection.add(records, axes[(np.arange(64) + version) % DIM])

    def watch(collection: Collection, number: int) -> None:
        while not done.is_set():
            (hits,) = collection.search(axes[:1], 64)
            (version,) = {hit.record.metadata["version"] for hit in hits}
            assert isinstance(version, int)
            best = {record(number).id for number in range(64) if (number + version) % DIM == 0}
            assert {hit.record.id for hit in hits if hit.score == 1.0} == best
            searches[number] += 1

    with store.create("large", "images", DIM, "model") as collection, ThreadPoolExecutor(2) as pool:
        turn(collection, 0)
        watchers = [pool.submit(watch, collection, number) for number in range(2)]
        try:
            for version in range(1, 10_000):
                collection.build("SQ8", 0.5)
                turn(collection, version)
                if version >= 100 and min(searches) > 10:
                    break
        finally:
            done.set()
        for watcher in watchers:
            watcher.result()
    assert min(searches) > 10


def test_a_swap_waits_for_searches_and_none_for_a_build(large: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Building holds no lock: a search inside it would wait for ever."""
    build, inside = building.build, list[int]()

    def searching(order: Order, tell: building.Tell) -> BaseFiles:
        with ThreadPoolExecutor(1) as pool:
            inside.append(len(pool.submit(large.search, clustered(1), 3).result(timeout=WAIT_S)[0]))
        return build(order, tell)

    monkeypatch.setattr(building, "build", searching)
    large.build("SQ8", 0.9)
    assert inside == [3]
    assert isinstance(large._gate, Gate)
