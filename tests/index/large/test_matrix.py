"""Full vectors in a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from index.large import matrix
from index.large.matrix import Matrix
from index.vectors import FaissIndex
from tests.index.built_base import clustered, matrix_of


def ids(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize(("count", "dim"), [(1, 1), (3, 3), (5, 8), (100, 24)])
def test_what_is_written_is_mapped(tmp_path: Path, count: int, dim: int) -> None:
    vectors, numbers = clustered(count, dim), np.arange(count, dtype=np.int64) * 3
    parts = [(numbers[:2], vectors[:2]), (numbers[2:], vectors[2:])]
    written, digest = matrix.write(tmp_path / "vectors", parts)
    full = Matrix(tmp_path / "vectors", count, dim)
    assert (written, full.count, full.dim) == (count, count, dim)
    assert digest == hashlib.sha256((tmp_path / "vectors").read_bytes()).hexdigest()
    assert (full.vectors == vectors).all()
    assert (full.ids == numbers).all()


def test_nothing_is_a_file_too(tmp_path: Path) -> None:
    assert matrix.write(tmp_path / "vectors", [])[0] == 0


@pytest.mark.parametrize("content", [b"", bytes(7), bytes(1000)])
def test_a_file_of_another_size_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vectors").write_bytes(content)
    with pytest.raises(ValueError, match=rf"vectors has {len(content)} bytes, not 80"):
        Matrix(tmp_path / "vectors", 2, 8)


@pytest.mark.parametrize("wrong", [ids(3, 3, 4), ids(2, 1, 5), ids(-1, 0, 1)])
def test_ids_that_do_not_ascend_are_refused(tmp_path: Path, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="do not ascend"):
        matrix_of(tmp_path, wrong, clustered(3))


@pytest.mark.parametrize("dim", [1, 3, 8, 24, 100])
def test_scores_are_those_of_the_index_in_memory_to_the_last_bit(tmp_path: Path, dim: int) -> None:
    vectors, queries = clustered(300, dim), clustered(4, dim, seed=1)
    numbers = np.arange(300, dtype=np.int64) * 2
    full, memory = matrix_of(tmp_path, numbers, vectors), FaissIndex(dim)
    memory.add(numbers, vectors)
    for query in queries:
        scores, places = full.search(query, 20)
        expected, _ = memory.search(query[np.newaxis], 20)
        assert (scores == expected[0]).all()
        assert (memory.search(query[np.newaxis], 20, np.sort(full.ids[places]))[0] == expected).all()
        some = np.sort(places)[::2]
        among_scores, among_places = full.search(query, 300, some)
        assert sorted(among_places) == some.tolist()
        assert {*among_scores} <= {*scores}


def test_more_than_there_is_gives_all_there_is(tmp_path: Path) -> None:
    full = matrix_of(tmp_path, ids(1, 2, 3), clustered(3))
    assert len(full.search(clustered(1)[0], 10)[0]) == 3
    assert len(full.search(clustered(1)[0], 10, ids(0, 2))[0]) == 2
    assert len(full.search(clustered(1)[0], 10, ids())[0]) == 0


def test_places_of_ids_that_are_there(tmp_path: Path) -> None:
    full = matrix_of(tmp_path, ids(2, 5, 9), clustered(3))
    assert full.places(ids(0, 2, 3, 9, 10)).tolist() == [0, 2]
    assert full.places(ids()).tolist() == []
