"""A collection with a built index: the same answers, nearly, whatever is done to it or happens to its files."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from index.collection import Collection
from index.durable.table import Table
from index.errors import CollectionDamaged
from index.filters.language import parse
from index.large.layered import LayeredIndex
from index.large.recipes import RecipeName
from index.store import Store
from tests.index.built_base import APPROXIMATE, clustered
from tests.index.built_collection import COUNT, DIM, change, exact, folder, recall, record


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
    monkeypatch.setattr("index.durable.files.sha256", lambda path: pytest.fail(f"{path.name} was read"))
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
