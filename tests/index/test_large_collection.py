"""A collection with a built index: the same answers, nearly, whatever is done to it or happens to its files."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index import building, derived, layered, renewal
from index.builder import Builder
from index.building import Order
from index.collection import Collection
from index.errors import BuildFailed, CollectionDamaged, CollectionError, InvalidRecipe, RecallMissed, StorageFailed
from index.filter_language import parse
from index.layered import LayeredIndex
from index.locks import Gate
from index.manifest import BaseFiles, Manifest
from index.recipes import RecipeName
from index.records import Record
from index.snapshot import Snapshot
from index.store import Store
from index.table import Table
from index.vectors import FaissIndex
from tests.index.built_base import APPROXIMATE, clustered

COUNT = 400
DIM = 16


def record(number: int, version: int = 1) -> Record:
    return Record(f"id-{number:04}", metadata={"version": version, "third": number % 3})


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds run here: starting a process takes long, and is what test_builder.py tests."""

    @contextmanager
    def run(
        builder: Builder, order: dict[str, object], tell: Callable[..., object]
    ) -> Iterator[tuple[Path, BaseFiles]]:
        made = builder._folder / ".building-here"
        made.mkdir()
        try:
            yield made, building.build(Order.model_validate({**order, "out": made}), tell)
        finally:
            for path in made.iterdir():
                path.unlink()
            made.rmdir()

    monkeypatch.setattr(Builder, "run", run)


@pytest.fixture
def large(store: Store, in_this_process: None) -> Iterator[Collection]:
    """Records with a built index, some of them changed since."""
    with store.create("large", "images", DIM, "model") as collection:
        collection.add([record(number) for number in range(COUNT)], clustered(COUNT))
        collection.build("HNSW-SQ8", 0.9)
        change(collection)
        yield collection


def change(collection: Collection, version: int = 2) -> None:
    """Some are replaced, some deleted, some come; the highest row is deleted and its number used again."""
    collection.delete([record(number).id for number in (COUNT - 1, *range(0, COUNT, 7))])
    numbers = [*range(0, COUNT, 5), COUNT, COUNT + 1]
    collection.add([record(number, version) for number in numbers], clustered(len(numbers), seed=version))


def exact(collection: Collection, queries: NDArray[np.float32], k: int) -> list[list[tuple[str, float]]]:
    """The answers as they have to be, from the records alone."""
    index = FaissIndex(DIM)
    for rows, vectors in collection._table.chunks():
        index.add(rows, vectors)
    records = collection._table.fetch(np.concatenate([rows for rows, _ in collection._table.chunks()]).tolist())
    scores, rows = index.search(queries, k)
    return [
        sorted(((records[row].id, min(score, 1.0)) for row, score in zip(*one, strict=True)), key=lambda hit: -hit[1])
        for one in zip(rows.tolist(), scores.tolist(), strict=True)
    ]


def recall(collection: Collection, k: int = 10, queries: int = 20) -> float:
    """Of answers that are all there, with their right scores."""
    asked = clustered(queries, seed=99)
    found = 0
    for hits, right in zip(collection.search(asked, k), exact(collection, asked, collection.count), strict=True):
        scores = dict(right)
        assert len(hits) == min(k, collection.count)
        assert all(scores[hit.record.id] == hit.score for hit in hits)
        found += len({hit.record.id for hit in hits} & {id for id, _ in right[:k]})
    return found / (queries * min(k, collection.count))


def folder(store: Store, name: str = "large") -> Path:
    return store._root / name


@pytest.mark.parametrize("recipe", APPROXIMATE)
def test_every_recipe_serves_changes_and_opens_again(store: Store, in_this_process: None, recipe: RecipeName) -> None:
    with store.create("large", "images", DIM, "model") as collection:
        collection.add([record(number) for number in range(COUNT)], clustered(COUNT))
        collection.build(recipe, 0.9)
        assert collection.built is not None
        assert collection.built.recall >= 0.9
        assert recall(collection) >= 0.8
        change(collection)
        assert recall(collection) >= 0.8
        count, version, hits = collection.count, collection.version, collection.search(clustered(3, seed=5), 10)
    with store.open("large") as again:
        assert (again.recipe, again.count, again.version) == (recipe, count, version)
        assert again.search(clustered(3, seed=5), 10) == hits


def test_a_real_process_builds_it(store: Store) -> None:
    with store.create("large", "images", DIM, "model") as collection:
        collection.add([record(number) for number in range(COUNT)], clustered(COUNT))
        collection.build("IVF-SQ8", 0.9)
        assert recall(collection) >= 0.8


def test_filters_hold_and_k_are_found_when_there_are_k(large: Collection) -> None:
    for third in range(3):
        where = parse({"metadata.third": {"eq": third}})
        for hits in large.search(clustered(5, seed=7), 60, where):
            assert len(hits) == 60
            assert all(hit.record.metadata["third"] == third for hit in hits)


def test_opening_reads_only_what_changed(store: Store, large: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    large.close()
    monkeypatch.delattr(Table, "chunks")
    monkeypatch.setattr("index.files.sha256", lambda path: pytest.fail(f"{path.name} was read"))
    with store.open("large") as again:
        assert isinstance(again._index, LayeredIndex)
        assert again._index.base.finder is not None


@pytest.mark.parametrize(
    ("names", "finder"),
    [(["index-*"], False), (["vectors-*"], False), (["index-*", "vectors-*"], False), (["seals.json"], True)],
)
@pytest.mark.parametrize(
    "spoil", [Path.unlink, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(path.read_bytes()[:-8])]
)
def test_what_is_lost_or_damaged_is_derived_again_and_searched_exactly_until_then(
    store: Store, large: Collection, names: list[str], finder: bool, spoil: Callable[[Path], object]
) -> None:
    expected = exact(large, clustered(5, seed=3), 10)
    large.close()
    for name in names:
        for path in folder(store).glob(name):
            spoil(path)
    with store.open("large") as again:
        assert isinstance(again._index, LayeredIndex)
        assert (again._index.base.finder is not None) == finder
        if not finder:
            hits = again.search(clustered(5, seed=3), 10)
            assert [[(hit.record.id, hit.score) for hit in row] for row in hits] == expected
        change(again, 3)
        assert recall(again) >= 0.8
    with store.open("large") as once_more:
        assert recall(once_more) >= 0.8


def test_a_spoiled_bit_anywhere_gives_the_right_answers(store: Store, large: Collection) -> None:
    expected, chance = exact(large, clustered(2, seed=3), 10), random.Random(1)
    large.close()
    whole = {path: path.read_bytes() for path in folder(store).glob("[iv]*-*")}
    assert len(whole) == 2
    for path, content in [pair for pair in whole.items() for _ in range(12)]:
        place = chance.randrange(len(content))
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :])
        with store.open("large") as again:
            hits = again.search(clustered(2, seed=3), 10)
            assert [[(hit.record.id, hit.score) for hit in row] for row in hits] == expected
        for other, kept in whole.items():
            other.write_bytes(kept)


def test_records_older_than_the_index_are_damage(store: Store, large: Collection) -> None:
    large.close()
    old = (folder(store) / "records.sqlite").read_bytes()
    with store.open("large") as again:
        change(again, 3)
        again.build("IVF-SQ8", 0.9)
    (folder(store) / "records.sqlite").write_bytes(old)
    with pytest.raises(CollectionDamaged, match="older than its index"):
        store.open("large")


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
    monkeypatch.setattr("index.tuning.recall_of", lambda *_: 0.5)
    with pytest.raises(RecallMissed, match=r"reaches a recall@10 of 0\.500, not 0\.99"):
        large.build("IVF-SQ8", 0.99)
    monkeypatch.setattr("index.tuning.recall_of", lambda base, asked: len(asked.places) > derived.PROBES)
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


def test_emptied_and_filled_again(store: Store, large: Collection) -> None:
    large.delete([found.id for found in large.list(1000)])
    assert large.search(clustered(1), 5) == [[]]
    large.close()
    with store.open("large") as again:
        assert (again.count, again.search(clustered(1), 5)) == (0, [[]])
        change(again)
        assert recall(again) == 1.0


def test_an_interruption_between_disk_and_memory_leaves_no_wrong_index(
    large: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for stage in ("remove", "add"):
        with monkeypatch.context() as patch:
            patch.setattr(LayeredIndex, stage, interrupt)
            with pytest.raises(KeyboardInterrupt):
                change(large, 3)
        assert recall(large) >= 0.8


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
    started = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        build = pool.submit(collection.build, "HNSW", 0.9, lambda *_: started.set())
        assert started.wait(60)
        collection.close()
        with pytest.raises(BuildFailed, match="cancelled"):
            build.result()
    with store.open("large") as again:
        assert again.recipe == "Flat"
        assert not list(folder(store).glob(".building-*"))
    with pytest.raises(CollectionError):
        collection.build("Flat")


def test_a_manifest_that_cannot_be_written_changes_nothing(large: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no")

    before = large._index
    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "write", refuse)
        with pytest.raises(StorageFailed):
            large.build("IVF-SQ8", 0.9)
    assert large._index is before
    assert recall(large) >= 0.8


def test_a_hundred_swaps_under_load_and_every_answer_is_right(
    store: Store, in_this_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vectors move with every version; a search sees one version, whole, from whichever index."""
    monkeypatch.setattr("index.tuning.QUERIES", 10)
    axes, done = np.eye(DIM, dtype=np.float32), threading.Event()

    def turn(collection: Collection, version: int) -> None:
        records = [record(number, version) for number in range(64)]
        collection.add(records, axes[(np.arange(64) + version) % DIM])

    def watch(collection: Collection) -> int:
        searches = 0
        while not done.is_set():
            (hits,) = collection.search(axes[:1], 64)
            (version,) = {hit.record.metadata["version"] for hit in hits}
            assert isinstance(version, int)
            best = {record(number).id for number in range(64) if (number + version) % DIM == 0}
            assert {hit.record.id for hit in hits if hit.score == 1.0} == best
            searches += 1
        return searches

    with store.create("large", "images", DIM, "model") as collection, ThreadPoolExecutor(2) as pool:
        turn(collection, 0)
        watchers = [pool.submit(watch, collection) for _ in range(2)]
        try:
            for version in range(1, 101):
                collection.build("SQ8", 0.5)
                turn(collection, version)
        finally:
            done.set()
        assert all(watcher.result() > 10 for watcher in watchers)


def test_a_swap_waits_for_searches_and_none_for_a_build(large: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Building holds no lock: a search inside it would wait for ever."""
    build, inside = building.build, list[int]()

    def searching(order: Order, tell: building.Tell) -> BaseFiles:
        with ThreadPoolExecutor(1) as pool:
            inside.append(len(pool.submit(large.search, clustered(1), 3).result(timeout=20)[0]))
        return build(order, tell)

    monkeypatch.setattr(building, "build", searching)
    large.build("SQ8", 0.9)
    assert inside == [3]
    assert isinstance(large._gate, Gate)
