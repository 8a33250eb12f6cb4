"""Every recipe under changes and filters, against an index in memory that compares everything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.large.layered import MOST_CHANGES, LayeredIndex, most_changes
from index.large.recipes import RecipeName
from index.vectors import FaissIndex, Ids, VectorIndex
from tests.index.built_base import APPROXIMATE, base_of, clustered, matrix_of

COUNT = 600
ROWS = np.arange(COUNT, dtype=np.int64) * 3


def both(folder: Path, recipe: RecipeName, exact_share: float = 0.0) -> tuple[LayeredIndex, FaissIndex]:
    """The same vectors under the same ids."""
    vectors = clustered(COUNT)
    exact = FaissIndex(16)
    exact.add(ROWS, vectors)
    return LayeredIndex(base_of(folder, recipe, matrix_of(folder, ROWS, vectors), exact_share)), exact


def change(index: VectorIndex, chance: np.random.Generator, there: Ids) -> Ids:
    """Some go, some are replaced, some come; the ids that are there then."""
    gone, replaced = np.split(chance.permutation(there)[: len(there) // 4], 2)
    new = np.setdiff1d(chance.integers(0, 5000, 40), there)
    index.remove(np.concatenate([gone, replaced]))
    index.add(np.concatenate([replaced, new]), clustered(len(replaced) + len(new), seed=int(chance.integers(1 << 30))))
    return np.union1d(np.setdiff1d(there, gone), new)


@pytest.mark.parametrize("recipe", ["Flat", *APPROXIMATE])
@pytest.mark.parametrize("exact_share", [0.0, 0.5])
def test_whatever_changes_only_what_may_be_found_is_found_and_enough_of_it(
    tmp_path: Path, recipe: RecipeName, exact_share: float
) -> None:
    index, exact = both(tmp_path, recipe, exact_share)
    there, found, wanted = ROWS, 0, 0
    for step in range(8):
        for one in (index, exact):
            after = change(one, np.random.default_rng(step), there)
        there = after
        assert index.count == exact.count == len(there)
        for share in (0.01, 0.1, 0.6, None):
            among = None if share is None else there[np.random.default_rng(step).random(len(there)) < share]
            k = 10 if step % 2 else 50
            queries = clustered(3, seed=step + 100)
            scores, ids = index.search(queries, k, among)
            expected, right = exact.search(queries, k, among)
            assert ids.shape == right.shape
            assert np.isin(ids, there if among is None else among).all()
            assert (np.diff(scores, axis=1) <= 0).all()
            for row in range(3):
                assert len({*ids[row]}) == len(ids[row])
                known = dict(zip(right[row], expected[row], strict=True))
                assert all(known.get(id, score) == score for id, score in zip(ids[row], scores[row], strict=True))
                found += len({*ids[row]} & {*known})
                wanted += len(known)
    assert found >= 0.9 * wanted
    assert recipe != "Flat" or found == wanted


@pytest.mark.parametrize("recipe", APPROXIMATE)
def test_nothing_is_left_of_a_base_that_was_deleted(tmp_path: Path, recipe: RecipeName) -> None:
    index, _ = both(tmp_path, recipe)
    index.remove(ROWS)
    assert index.count == 0
    assert index.search(clustered(2), 5)[1].shape == (2, 0)
    index.add(ROWS[:1], clustered(1))
    assert index.search(clustered(1), 5)[1].tolist() == [[0]]
    assert index.search(clustered(0), 5)[1].shape[0] == 0


def test_ids_that_are_nowhere_change_nothing(tmp_path: Path) -> None:
    index, _ = both(tmp_path, "Flat")
    index.remove(np.array([1, 2, 99_999], np.int64))
    assert index.count == COUNT
    assert index.search(clustered(1), 5, np.array([1, 2, 99_999], np.int64))[0].shape == (1, 0)


def test_it_is_worn_when_much_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.large.layered.FEWEST_CHANGES", 20)
    index, _ = both(tmp_path, "Flat")
    index.remove(ROWS[:10])
    index.add(ROWS[:10], clustered(10))
    assert not index.is_worn
    index.remove(ROWS[10:11])
    assert index.is_worn


def test_how_much_may_change() -> None:
    assert [most_changes(count) for count in (10, 1_000_000, 10**9)] == [10_000, 20_000, MOST_CHANGES]
