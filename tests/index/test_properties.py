"""A collection under random use, against a dictionary and brute force."""

from __future__ import annotations

import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from numpy.typing import NDArray

from index.collection import Collection
from index.errors import ItemNotFound
from index.records import Record
from index.store import Store

# Inner products of these are exact in float32, and many of them are equal: ties are the rule here.
EXACT = np.array([*np.eye(4), *-np.eye(4), *(np.array(signs) / 2 for signs in product((1, -1), repeat=4))], np.float32)
IDS = ["a", "b", "B", "aa", "é", "中", "🐕", "\uffff", "0", "a\0", *(f"n{number}" for number in range(20))]

batches = st.dictionaries(
    st.sampled_from(IDS),
    st.tuples(st.integers(0, len(EXACT) - 1), st.none() | st.text("ab'\"\0é", max_size=3), st.integers()),
    min_size=1,
    max_size=12,
)


class CollectionUse(RuleBasedStateMachine):
    """Every answer of a collection is that of the model beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.folder.name))
        self.model = dict[str, tuple[Record, NDArray[np.float32]]]()
        self.version = 0

    @initialize()
    def create(self) -> None:
        self.collection: Collection = self.store.create("images", "images", 4, "model")

    def teardown(self) -> None:
        self.collection.close()
        self.folder.cleanup()

    @rule(batch=batches)
    def add(self, batch: dict[str, tuple[int, str | None, int]]) -> None:
        records = [Record(id, caption, caption, {"n": number}) for id, (_, caption, number) in batch.items()]
        vectors = EXACT[[place for place, _, _ in batch.values()]]
        self.version += 1
        assert self.collection.add(records, vectors) == self.version
        self.model.update({record.id: (record, vector) for record, vector in zip(records, vectors, strict=True)})

    @rule(ids=st.lists(st.sampled_from(IDS), max_size=8))
    def delete(self, ids: list[str]) -> None:
        there = set(ids) & set(self.model)
        self.version += bool(there)
        assert self.collection.delete(ids) == len(there)
        for id in there:
            del self.model[id]

    @rule()
    def flush(self) -> None:
        self.collection.flush()

    @rule(lost=st.sampled_from(["", "index-*", "index-*"]))
    def reopen(self, lost: str) -> None:
        self.collection.close()
        for path in Path(self.folder.name, "images").glob(lost) if lost else ():
            path.unlink()
        self.collection = self.store.open("images", "model")

    @rule(places=st.lists(st.integers(0, len(EXACT) - 1), max_size=3), k=st.integers(1, 40))
    def search(self, places: list[int], k: int) -> None:
        queries = EXACT[np.array(places, np.intp)]
        hits = self.collection.search(queries, k)
        assert [[(hit.score, hit.record) for hit in row] for row in hits] == [
            self.nearest(query, k) for query in queries
        ]

    def nearest(self, query: NDArray[np.float32], k: int) -> list[tuple[float, Record]]:
        scored = [(float(query @ vector), record) for record, vector in self.model.values()]
        return sorted(scored, key=lambda item: (-item[0], item[1].id))[:k]

    @rule(limit=st.integers(1, 40), after=st.none() | st.sampled_from(IDS))
    def page(self, limit: int, after: str | None) -> None:
        expected = [self.model[id][0] for id in sorted(self.model) if after is None or id > after]
        assert self.collection.list(limit, after) == expected[:limit]

    @rule(id=st.sampled_from(IDS))
    def get(self, id: str) -> None:
        if id in self.model:
            record, vector = self.model[id]
            assert self.collection.get(id) == record
            assert (self.collection.vector(id) == vector).all()
        else:
            with pytest.raises(ItemNotFound):
                self.collection.get(id)

    @invariant()
    def everything_is_there(self) -> None:
        assert (self.collection.count, self.collection.version) == (len(self.model), self.version)
        assert self.collection.list(100) == [self.model[id][0] for id in sorted(self.model)]


TestCollectionUse = CollectionUse.TestCase
TestCollectionUse.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
