"""A filtered search against brute force: nothing excluded is found, and k records are found where k match."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from index.collection import Collection
from index.errors import CollectionError
from index.filters import And, Contains, Filter, In, Not, Or, matches
from index.filters.language import parse, parse_field
from index.records import Record
from index.store import Store
from tests.index.filter_strategies import filters
from tests.patience import wait_until

# Inner products of these are exact in float32, and many of them are equal: ties are the rule here.
EXACT = np.array([*np.eye(4), *-np.eye(4), *(np.array(signs) / 2 for signs in product((1, -1), repeat=4))], np.float32)
COUNT = 120
Everything = list[tuple[Record, NDArray[np.float32]]]
Filled = tuple[Collection, Everything]
COLOURS = ["red", "green", "blue", None]

n, colour, tags = (parse_field(f"metadata.{key}") for key in ("n", "colour", "tags"))
ordinary: st.SearchStrategy[Filter] = st.recursive(
    st.integers(0, COUNT).map(lambda least: parse({"metadata.n": {"gte": least}}))
    | st.integers(0, COUNT).map(lambda most: parse({"metadata.n": {"lt": most}}))
    | st.lists(st.integers(0, COUNT), max_size=3).map(lambda some: In(n, tuple(some)))
    | st.sampled_from(COLOURS).map(lambda one: In(colour, (one,)))
    | st.sampled_from("abc").map(lambda tag: Contains(tags, tag)),
    lambda inner: (
        st.builds(Not, inner)
        | st.lists(inner, max_size=3).map(lambda some: And(tuple(some)))
        | st.lists(inner, max_size=3).map(lambda some: Or(tuple(some)))
    ),
    max_leaves=4,
)


def make_records() -> list[Record]:
    return [
        Record(f"r{(n * 7) % COUNT}", None, None, {"n": n, "colour": COLOURS[n % 4], "tags": ["abc"[n % 3]]})
        for n in range(COUNT)
    ]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A collection in which some rows have been replaced and some deleted, and what is in it."""
    with Store(tmp_path_factory.mktemp("store")).create("images", "images", 4, "model") as collection:
        records, places = make_records(), np.random.default_rng(1).integers(0, len(EXACT), COUNT)
        collection.add(records, EXACT[places])
        collection.add(records[50:70], EXACT[places[:20]])
        collection.delete([record.id for record in records[100:110]])
        yield collection, [(record, collection.vector(record.id)) for record in collection.list(COUNT)]


def brute_force(everything: Everything, query: NDArray[np.float32], where: Filter) -> list[tuple[float, str]]:
    found = [(record, vector) for record, vector in everything if matches(where, record)]
    return sorted((-float(query @ vector), record.id) for record, vector in found)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(where=ordinary | filters, place=st.integers(0, len(EXACT) - 1), k=st.sampled_from([1, 2, 10, 100, 1000]))
def test_a_search_finds_the_nearest_of_those_that_match(filled: Filled, where: Filter, place: int, k: int) -> None:
    collection, everything = filled
    hits = collection.search(EXACT[[place]], k, where)[0]

    assert all(matches(where, hit.record) for hit in hits)
    assert [(-hit.score, hit.record.id) for hit in hits] == brute_force(everything, EXACT[place], where)[:k]


def test_several_queries_have_one_filter(filled: Filled) -> None:
    collection, everything = filled
    where = parse({"metadata.n": {"lt": 20}})
    for query, hits in zip(EXACT, collection.search(EXACT, 5, where), strict=True):
        assert [hit.record.id for hit in hits] == [id for _, id in brute_force(everything, query, where)[:5]]


def test_nothing_is_found_where_nothing_matches(
    collection: Collection, unit_vectors: Callable[..., NDArray[np.float32]]
) -> None:
    where = parse({"id": {"eq": "b"}})
    assert collection.search(unit_vectors(2), 3, where) == [[], []]  # in an empty collection too

    collection.add([Record("a")], unit_vectors(1))
    assert collection.search(unit_vectors(2), 3, where) == [[], []]


def test_a_changed_record_is_found_by_what_it_is_now(
    collection: Collection, unit_vectors: Callable[..., NDArray[np.float32]]
) -> None:
    where = parse({"metadata.sold": {"ne": True}})
    vectors = unit_vectors(2)
    collection.add([Record("a"), Record("b")], vectors)
    assert {hit.record.id for hit in collection.search(vectors[:1], 5, where)[0]} == {"a", "b"}

    collection.add([Record("a", metadata={"sold": True})], vectors[:1])
    assert [hit.record.id for hit in collection.search(vectors[:1], 5, where)[0]] == ["b"]

    collection.delete(["b"])
    assert collection.search(vectors[:1], 5, where) == [[]]


def test_a_filter_holds_while_records_change(
    collection: Collection, unit_vectors: Callable[..., NDArray[np.float32]]
) -> None:
    """Every batch flips all records from one colour to the other: a search sees all of them, or none."""
    vectors, done, seen = unit_vectors(40), threading.Event(), list[tuple[int, set[object]]]()
    collection.add([Record(str(n), metadata={"colour": "red"}) for n in range(40)], vectors)

    def search() -> None:
        while not done.is_set():
            hits = collection.search(vectors[:1], 50, parse({"metadata.colour": {"eq": "red"}}))[0]
            seen.append((len(hits), {hit.record.metadata["colour"] for hit in hits}))

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(30):
        colour = ["blue", "red"][turn % 2]
        collection.add([Record(str(n), metadata={"colour": colour}) for n in range(40)], vectors)
    wait_until(lambda: seen)
    done.set()
    for thread in threads:
        thread.join()

    assert seen
    assert all(found in ((0, set()), (40, {"red"})) for found in seen)


def test_a_closed_collection_says_so(store: Store, unit_vectors: Callable[..., NDArray[np.float32]]) -> None:
    collection = store.create("images", "images", 8, "model")
    collection.close()
    with pytest.raises(CollectionError, match="is closed"):
        collection.search(unit_vectors(1), 1, parse({"id": {"eq": "a"}}))


def test_a_reopened_collection_filters_the_same(
    tmp_path: Path, unit_vectors: Callable[..., NDArray[np.float32]]
) -> None:
    vectors, where = unit_vectors(9), parse({"metadata.n": {"in": [2, 5]}})
    with Store(tmp_path).create("images", "images", 8, "model") as collection:
        collection.add([Record(str(n), metadata={"n": n}) for n in range(9)], vectors)
        before = collection.search(vectors, 9, where)
    with Store(tmp_path).open("images") as collection:
        assert collection.search(vectors, 9, where) == before
