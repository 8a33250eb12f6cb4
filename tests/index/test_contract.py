"""What every store of collections does alike, in files and on Milvus, and that their answers are the same."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import JsonValue

from index.address import open_store
from index.backend import Collection, Store
from index.errors import (
    CollectionError,
    CollectionExists,
    CollectionNotFound,
    InvalidName,
    InvalidRecord,
    InvalidVector,
    ItemNotFound,
    ModelMismatch,
)
from index.filters import Filter, matches
from index.milvus.store import MilvusStore
from index.records import Record
from tests.index.filter_strategies import filters, records
from tests.index.milvus.limits import fits

KINDS = ("faiss", "milvus-lite")

# Inner products of these are exact in float32, and many of them are equal: ties are the rule here.
EXACT = np.array([*np.eye(4), *-np.eye(4), *(np.array(signs) / 2 for signs in product((1, -1), repeat=4))], np.float32)
IDS = ["a", "b", "B", "aa", "é", "中", "🐕", "\uffff", "0", "a\0", "'\"\\", "!", "x" * 256, *map(str, range(20))]

held = records.filter(lambda record: fits(record) and len(record.id) < 9) | st.builds(Record, st.sampled_from(IDS))
batches = st.lists(st.tuples(held, st.integers(0, len(EXACT) - 1)), max_size=12, unique_by=lambda item: item[0].id)

Vectors = NDArray[np.float32]
Reopen = Callable[[Store], Store]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def reopen(kind: str, tmp_path: Path) -> Reopen:
    """As when the process ends and another one starts."""

    def again(store: Store) -> Store:
        if isinstance(store, MilvusStore):
            store.close()
        return open_store(kind, tmp_path)

    return again


@pytest.fixture
def store(kind: str, tmp_path: Path) -> Iterator[Store]:
    store = open_store(kind, tmp_path)
    yield store
    if isinstance(store, MilvusStore):
        store.close()


def made(store: Store, count: int = 3, name: str = "images") -> Collection:
    collection = store.create(name, "images", 4, "model-a", Path("/media"))
    collection.add([Record(f"r{row}", f"{row}.png", f"no. {row}", {"n": row}) for row in range(count)], EXACT[:count])
    return collection


def test_a_store_makes_lists_and_deletes_collections(store: Store) -> None:
    assert store.names() == []
    made(store, name="b-1_x").close()
    made(store, name="0a").close()
    assert store.names() == ["0a", "b-1_x"]

    store.delete("b-1_x")

    assert store.names() == ["0a"]
    with pytest.raises(CollectionNotFound):
        store.open("b-1_x")
    with pytest.raises(CollectionNotFound):
        store.delete("b-1_x")


def test_a_collection_tells_what_it_was_made_as(store: Store) -> None:
    collection = store.create("images", "images", 4, "model-a", Path("/media"))

    assert (collection.name, collection.kind, collection.dim) == ("images", "images", 4)
    assert (collection.fingerprint, collection.media_root) == ("model-a", Path("/media"))
    assert (collection.count, collection.version) == (0, 0)
    assert collection.list(5) == []
    assert collection.search(EXACT[:1], 5) == [[]]


def test_a_name_is_taken_once_and_has_a_shape(store: Store) -> None:
    made(store)

    with pytest.raises(CollectionExists):
        store.create("images", "images", 4, "model-a")
    for name in ("Images", "a/b", "", "-a", "a" * 65):
        with pytest.raises(InvalidName):
            store.create(name, "images", 4, "model-a")


def test_another_model_is_kept_away(store: Store) -> None:
    with made(store) as collection:
        collection.require("model-a")
        with pytest.raises(ModelMismatch):
            collection.require("model-b")
        with pytest.raises(ModelMismatch):
            collection.add([Record("x")], np.eye(5, dtype=np.float32)[:1])
        with pytest.raises(ModelMismatch):
            collection.search(np.eye(5, dtype=np.float32)[:1], 3)
    with pytest.raises(ModelMismatch):
        store.open("images", "model-b")
    store.open("images", "model-a").close()


def test_everything_is_there_after_a_restart(store: Store, reopen: Reopen) -> None:
    with made(store) as collection:
        collection.delete(["r1"])
        before = collection.version
    again = reopen(store)

    with again.open("images", "model-a") as collection:
        assert (collection.version, collection.count) == (before, 2)
        assert (collection.kind, collection.media_root) == ("images", Path("/media"))
        assert collection.list(9) == [Record(f"r{row}", f"{row}.png", f"no. {row}", {"n": row}) for row in (0, 2)]
        assert (collection.vector("r2") == EXACT[2]).all()
        assert [hit.record.id for hit in collection.search(EXACT[2:3], 1)[0]] == ["r2"]
    if isinstance(again, MilvusStore):
        again.close()


@pytest.mark.parametrize("metadata", [{"f": 0.1, "i": 2**63 - 1, "big": 1e308, "null": None}, {"l": [[], {"": "\0"}]}])
def test_a_record_comes_back_as_it_went_in(store: Store, metadata: dict[str, JsonValue]) -> None:
    record = Record("🐕 'a' \"b\" \\ \0", "a\tb", "\u2028 ''", metadata)
    vector = np.array([[0.1, 0.7, -0.3, 0.64031242]], np.float32)
    with made(store) as collection:
        collection.add([record], vector)

        assert collection.get(record.id) == record
        assert (collection.vector(record.id) == vector[0]).all()


def test_bad_input_leaves_nothing_behind(store: Store) -> None:
    with made(store) as collection:
        before = collection.version
        for records, vectors in (
            ([Record("x"), Record("x")], EXACT[:2]),
            ([Record("x"), Record("")], EXACT[:2]),
            ([Record("x"), Record("y", caption="\ud800")], EXACT[:2]),
            ([Record("x")], EXACT[:2]),
        ):
            with pytest.raises(InvalidRecord):
                collection.add(records, vectors)
        for wrong in (EXACT[:1] * 2, np.full((1, 4), np.nan, np.float32)):
            with pytest.raises(InvalidVector):
                collection.add([Record("x")], wrong)
        with pytest.raises(ItemNotFound):
            collection.get("x")
        assert (collection.version, collection.count) == (before, 3)


def test_what_is_not_there_cannot_be_read_or_deleted(store: Store) -> None:
    with made(store) as collection:
        before = collection.version
        for id in ("x", "", "!", "x" * 300, "\ud800"):
            with pytest.raises(ItemNotFound):
                collection.get(id)
            with pytest.raises(ItemNotFound):
                collection.vector(id)
        assert collection.delete(["x", "", "!", "\ud800"]) == 0
        assert collection.version == before


def test_nothing_works_once_it_is_closed(store: Store) -> None:
    collection = made(store)
    collection.close()
    collection.close()

    for use in (lambda: collection.get("r0"), lambda: collection.search(EXACT[:1], 1), lambda: collection.list(1)):
        with pytest.raises(CollectionError, match="closed"):
            use()


def test_a_receipt_tells_new_from_replaced(store: Store) -> None:
    with made(store) as collection:
        receipt = collection.put([Record("r0"), Record("new")], EXACT[4:6])

        assert (receipt.created, receipt.replaced, receipt.count) == (1, 1, 4)
        assert receipt.version == collection.version


class Pair:
    """The same collection in both kinds of store, and what should be in it."""

    def __init__(self, stores: list[Store]) -> None:
        self.stores = stores
        self.collections = [store.create("both", "images", 4, "model") for store in stores]
        self.expected = dict[str, tuple[Record, Vectors]]()

    def change(self, batch: list[tuple[Record, int]], gone: list[str]) -> None:
        records, vectors = [record for record, _ in batch], EXACT[np.array([place for _, place in batch], np.intp)]
        for collection in self.collections:
            versions = collection.version, collection.add(records, vectors), collection.version
            assert versions[0] + bool(batch) <= versions[1] == versions[2]
        self.expected.update({record.id: (record, vector) for record, vector in zip(records, vectors, strict=True)})
        there = set(gone) & set(self.expected)
        assert [collection.delete(gone) for collection in self.collections] == [len(there)] * 2
        for id in there:
            del self.expected[id]

    def drop(self) -> None:
        for store, collection in zip(self.stores, self.collections, strict=True):
            collection.close()
            store.delete("both")


@pytest.fixture(scope="module")
def stores() -> Iterator[list[Store]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stores = [open_store(kind, folder) for kind in KINDS]
        yield stores
        for store in stores:
            if isinstance(store, MilvusStore):
                store.close()


@given(data=st.data())
@settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck], phases=[Phase.generate]
)
def test_their_answers_are_the_same(stores: list[Store], data: st.DataObject) -> None:
    pair = Pair(stores)
    try:
        for _ in range(2):
            pair.change(data.draw(batches), data.draw(st.lists(st.sampled_from(IDS), max_size=4)))
        assert [collection.count for collection in pair.collections] == [len(pair.expected)] * 2
        ids = sorted(pair.expected)
        for limit, after in data.draw(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(IDS)), max_size=3)):
            page = [pair.expected[id][0] for id in ids if id > after][:limit]
            assert [collection.list(limit, after) for collection in pair.collections] == [page] * 2
        for _ in range(12):
            place, k = data.draw(st.integers(0, len(EXACT) - 1)), data.draw(st.integers(1, 12))
            where = data.draw(st.none() | filters)
            check_search(pair, EXACT[place], k, where)
    finally:
        pair.drop()


def check_search(pair: Pair, query: Vectors, k: int, where: Filter | None) -> None:
    scored = [
        (float(query @ vector), record)
        for record, vector in pair.expected.values()
        if where is None or matches(where, record)
    ]
    expected = sorted(scored, key=lambda item: (-item[0], item[1].id))[:k]
    for collection in pair.collections:
        found = collection.search(query[None], k, where)[0]
        assert [(hit.score, hit.record) for hit in found] == expected, (type(collection), where)


def test_scores_of_any_vectors_are_the_same(stores: list[Store]) -> None:
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((210, 4))
    vectors = np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)
    pair = Pair(stores)
    try:
        for collection in pair.collections:
            collection.add([Record(f"{row:03}") for row in range(200)], vectors[:200])
        found, other = (collection.search(vectors[200:], 25) for collection in pair.collections)
    finally:
        pair.drop()

    assert [[hit.record.id for hit in hits] for hits in found] == [[hit.record.id for hit in hits] for hits in other]
    scores = [[hit.score for hit in hits] for hits in found]
    np.testing.assert_allclose(scores, [[hit.score for hit in hits] for hits in other], atol=1e-6)
