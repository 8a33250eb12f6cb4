from __future__ import annotations

import numpy as np
import pytest

from index.durable.rows import Row
from index.ranking import Hit, nearest, ranked
from index.records import Record
from index.vectors import FaissIndex

QUERY = np.array([1, 0], np.float32)
ROWS = {row: Row(row, Record(id), np.array([row], np.float32)) for row, id in enumerate(["d", "c", "b", "a"])}


def index_of(*cosines: float) -> FaissIndex:
    index = FaissIndex(2)
    vectors = np.array([[cosine, (1 - min(cosine, 1.0) ** 2) ** 0.5] for cosine in cosines], np.float32)
    index.add(np.arange(len(vectors), dtype=np.int64), vectors)
    return index


def test_nothing_is_nearest_in_an_empty_index() -> None:
    assert nearest(FaissIndex(2), QUERY, 3) == {}


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_all_that_tie_with_the_last_come_along(k: int) -> None:
    found = nearest(index_of(*[0.5] * 40, 1.0, 0.25), QUERY, k)
    assert found == {40: 1.0, **({row: 0.5 for row in range(40)} if k > 1 else {})}


def test_a_score_is_at_most_one() -> None:
    assert nearest(index_of(1.0005, 1.0002, 0.5), QUERY, 1) == {0: 1.0, 1: 1.0}


def test_hits_are_ranked_by_score_then_id() -> None:
    hits = ranked({0: 0.5, 1: 0.5, 2: 0.9, 3: 0.1}, ROWS, 3)
    assert hits == [Hit(Record("b"), 0.9), Hit(Record("c"), 0.5), Hit(Record("d"), 0.5)]


def test_as_many_hits_as_are_asked_for_have_their_vectors() -> None:
    for count, expected in ((2, [[2.0], [0.0]]), (1, [[2.0], None]), (0, [None, None])):
        hits = ranked({0: 0.5, 2: 0.9}, ROWS, 2, count)
        assert [None if hit.vector is None else hit.vector.tolist() for hit in hits] == expected
