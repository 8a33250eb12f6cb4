from __future__ import annotations

import runpy
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

import index.vectors
from index.vectors import FaissIndex, Ids, VectorIndex

UnitVectors = Callable[..., NDArray[np.float32]]

T = TypeVar("T", bound=VectorIndex)


@pytest.fixture(params=[FaissIndex])
def make(request: pytest.FixtureRequest) -> type[VectorIndex]:
    """Every implementation of the protocol; all tests that take it are the contract."""
    kind: type[VectorIndex] = request.param
    return kind


def ids(*values: int) -> Ids:
    return np.array(values, np.int64)


def filled(make: Callable[[int], T], vectors: NDArray[np.float32]) -> T:
    index = make(vectors.shape[1])
    index.add(np.arange(len(vectors), dtype=np.int64) * 10, vectors)
    return index


def test_a_new_index_is_empty_and_finds_nothing(make: Callable[[int], VectorIndex]) -> None:
    index = make(4)
    scores, found = index.search(np.eye(4, dtype=np.float32), 3)
    assert (index.dim, index.count) == (4, 0)
    assert scores.shape == found.shape == (4, 0)


def test_scores_are_inner_products_best_first(make: Callable[[int], VectorIndex], unit_vectors: UnitVectors) -> None:
    vectors, queries = unit_vectors(50, 16), unit_vectors(5, 16, seed=1)
    scores, found = filled(make, vectors).search(queries, 7)
    expected = queries.astype(np.float64) @ vectors.T.astype(np.float64)
    assert (found == np.argsort(-expected, axis=1)[:, :7] * 10).all()
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :7], atol=1e-6)
    assert scores.dtype == np.float32
    assert found.dtype == np.int64


def test_more_than_there_is_gives_all_there_is(make: Callable[[int], VectorIndex], unit_vectors: UnitVectors) -> None:
    scores, found = filled(make, unit_vectors(3)).search(unit_vectors(2, seed=1), 1000)
    assert scores.shape == (2, 3)
    assert [sorted(row) for row in found] == [[0, 10, 20]] * 2


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_among_some_only_these_are_found_with_the_same_scores(
    make: Callable[[int], VectorIndex], unit_vectors: UnitVectors, share: float
) -> None:
    index, queries = filled(make, unit_vectors(200, 16)), unit_vectors(3, 16, seed=1)
    index.remove(ids(30, 40))
    chosen = np.flatnonzero(np.random.default_rng(2).random(200) < share) * 10
    scores, found = index.search(queries, 7, among=np.union1d(chosen, [40, 5, 99_990]))
    all_scores, everything = index.search(queries, 198)
    for row in range(3):
        allowed = np.isin(everything[row], chosen)
        assert (found[row] == everything[row][allowed][:7]).all()
        assert (scores[row] == all_scores[row][allowed][:7]).all()
    assert scores.shape == found.shape == (3, min(7, len(np.setdiff1d(chosen, [30, 40]))))


def test_among_nothing_nothing_is_found(make: Callable[[int], VectorIndex], unit_vectors: UnitVectors) -> None:
    assert filled(make, unit_vectors(3)).search(unit_vectors(2, seed=1), 5, among=ids())[1].shape == (2, 0)
    assert make(8).search(unit_vectors(2), 5, among=ids(1))[1].shape == (2, 0)


def test_removed_vectors_are_found_no_more(make: Callable[[int], VectorIndex], unit_vectors: UnitVectors) -> None:
    index = filled(make, unit_vectors(6))
    index.remove(ids(0, 30, 77))
    assert index.count == 4
    assert sorted(index.search(unit_vectors(1), 10)[1][0]) == [10, 20, 40, 50]


def test_an_id_can_be_used_again(make: Callable[[int], VectorIndex], unit_vectors: UnitVectors) -> None:
    vectors = unit_vectors(4)
    index = filled(make, vectors[:3])
    index.remove(ids(10))
    index.add(ids(10), vectors[3:])
    assert index.search(vectors[3:], 1)[1].tolist() == [[10]]


def test_no_ids_change_nothing(make: Callable[[int], VectorIndex], unit_vectors: UnitVectors) -> None:
    index = filled(make, unit_vectors(3))
    index.add(ids(), np.empty((0, 8), np.float32))
    index.remove(ids())
    assert index.count == 3


@pytest.mark.parametrize("dim", [3, 8, 24, 100])
def test_a_score_depends_on_nothing_but_the_pair(
    make: Callable[[int], VectorIndex], unit_vectors: UnitVectors, dim: int
) -> None:
    query, others = unit_vectors(1, dim), unit_vectors(200, dim, seed=1)
    others[::7] = others[0]
    index = filled(make, others)
    alone, _ = index.search(query, 200)
    among_others, _ = index.search(np.concatenate([unit_vectors(40, dim, seed=2), query]), 200)
    assert (alone[0] == among_others[-1]).all()
    scores, found = index.search(query, 200)
    assert len(set(scores[0][found[0] % 70 == 0])) == 1


def test_what_is_saved_is_loaded(make: type[FaissIndex], unit_vectors: UnitVectors, tmp_path: Path) -> None:
    vectors = unit_vectors(20)
    index = filled(make, vectors)
    index.remove(ids(30))
    index.save(tmp_path / "index")
    loaded = make.load(tmp_path / "index")
    assert (loaded.dim, loaded.count) == (8, 19)
    assert (loaded.search(vectors, 19)[1] == index.search(vectors, 19)[1]).all()
    loaded.remove(ids(0))
    loaded.add(ids(5), vectors[:1])
    assert loaded.search(vectors[:1], 1)[1].tolist() == [[5]]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"IxM2" + bytes(40)])
def test_nonsense_is_not_loaded(make: type[FaissIndex], tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index").write_bytes(content)
    with pytest.raises(ValueError, match="not a FAISS index"):
        make.load(tmp_path / "index")


def test_an_index_of_another_kind_is_not_loaded(tmp_path: Path) -> None:
    faiss.write_index(faiss.index_factory(8, "IDMap2,Flat", faiss.METRIC_L2), str(tmp_path / "index"))
    with pytest.raises(ValueError, match="another kind"):
        FaissIndex.load(tmp_path / "index")


def test_an_index_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot write"):
        FaissIndex(8).save(tmp_path / "missing" / "index")


def test_a_search_uses_one_thread_whichever_thread_asks(unit_vectors: UnitVectors) -> None:
    counts = list[int]()
    search = filled(FaissIndex, unit_vectors(3)).search

    def work() -> None:
        faiss.omp_set_num_threads(4)
        search(unit_vectors(1), 1)
        counts.append(faiss.omp_get_max_threads())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert counts == [1]


def test_without_faiss_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"exactly one of faiss-cpu .* and faiss-gpu"):
        runpy.run_path(index.vectors.__file__)


def test_importing_the_package_alone_loads_nothing_heavy() -> None:
    code = "import sys, index; print('faiss' in sys.modules or 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout == "False\n"
