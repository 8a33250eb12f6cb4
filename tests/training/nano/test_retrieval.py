"""Ranks and recall."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.nano import retrieval
from training.nano.retrieval import RANKS, best_ranks, nearest, recall, resampled


def test_the_best_of_several_right_answers_counts() -> None:
    gallery = np.eye(4, dtype=np.float32)
    queries = np.array([[0.9, 0.5, 0.3, 0.1], [0.1, 0.3, 0.5, 0.9]], np.float32)

    assert best_ranks(queries, gallery, [(2, 1), (0,)]).tolist() == [2, 4]


def test_of_equal_scores_the_first_of_the_gallery_wins() -> None:
    gallery = np.ones((5, 2), np.float32)

    assert best_ranks(np.ones((3, 2), np.float32), gallery, [(0,), (4,), (3, 1)]).tolist() == [1, 5, 2]


def test_no_queries_have_no_ranks() -> None:
    assert best_ranks(np.zeros((0, 3), np.float32), np.eye(3, dtype=np.float32), []).tolist() == []


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 6))
def test_ranks_are_those_of_brute_force(seed: int, size: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    # Few different values, so that there are ties.
    gallery = rng.integers(-1, 2, (size, 3)).astype(np.float32)
    queries = rng.integers(-1, 2, (count, 3)).astype(np.float32)
    members = [rng.choice(size, rng.integers(1, size + 1), replace=False).tolist() for _ in range(count)]
    ranks = best_ranks(queries, gallery, members)
    for query, right, rank in zip(queries, members, ranks, strict=True):
        scores = [float(query @ vector) for vector in gallery]
        order = sorted(range(size), key=lambda row: (-scores[row], row))
        assert rank == 1 + min(order.index(row) for row in right)
    for k in RANKS:
        assert recall(ranks).at[k] == pytest.approx(100 * sum(rank <= k for rank in ranks) / count, abs=0.05)


def test_ties_are_told() -> None:
    found = retrieval.rank(np.ones((2, 2), np.float32), np.ones((5, 2), np.float32), [(2,), (0, 1, 2, 3, 4)])

    assert found.by_position.tolist() == [3, 1]
    assert found.luckiest.tolist() == [1, 1]
    assert found.unluckiest.tolist() == [5, 1]


def unit_rows(rng: np.random.Generator, count: int, size: int) -> retrieval.Vectors:
    rows = rng.standard_normal((count, size)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


SHAPES = [(512, 10, 7), *np.random.default_rng(0).integers((3, 2, 1), (600, 60, 40), (100, 3)).tolist()]


@pytest.mark.parametrize(("size", "count", "asked"), SHAPES)
def test_ties_of_equal_rows_are_told_whatever_the_shapes(size: int, count: int, asked: int) -> None:
    rng = np.random.default_rng((size, count, asked))
    queries, copied = unit_rows(rng, asked, size), rng.integers(0, count // 2 + 1, count)
    gallery = unit_rows(rng, count // 2 + 1, size)[copied]
    members = [(number % count,) for number in range(asked)]

    found = retrieval.rank(queries, gallery, members)

    copies = [(copied == copied[row]).sum() for (row,) in members]
    assert (found.unluckiest - found.luckiest + 1).tolist() == copies
    before = [(copied[:row] == copied[row]).sum() for (row,) in members]
    assert (found.by_position - found.luckiest).tolist() == before


def test_more_queries_than_fit_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    queries, gallery = (rng.integers(-3, 4, (count, 4)).astype(np.float32) for count in (23, 7))
    members = [[n % 7] for n in range(23)]
    whole, near = best_ranks(queries, gallery, members), nearest(queries, gallery)
    hits = whole[:, None] <= np.array(RANKS)
    drawn = resampled(hits)
    monkeypatch.setattr(retrieval, "_BLOCK", 50)

    assert best_ranks(queries, gallery, members).tolist() == whole.tolist()
    assert nearest(queries, gallery).tolist() == near.tolist() == (queries @ gallery.T).argmax(1).tolist()
    np.testing.assert_array_equal(resampled(hits), drawn)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_vectors_that_are_no_numbers_are_no_result(broken: float) -> None:
    sound, unsound = np.eye(2, dtype=np.float32), np.full((2, 2), broken, np.float32)

    for queries, gallery in ((sound, unsound), (unsound, sound)):
        with pytest.raises(ValueError, match="no numbers"):
            best_ranks(queries, gallery, [(0,), (1,)])


def test_recall_is_in_per_cent() -> None:
    found = recall(np.array([1, 2, 6, 11]))

    assert found.utterances == 4
    assert found.at == {1: 25.0, 5: 50.0, 10: 75.0}


def test_the_interval_narrows_with_the_number_of_queries() -> None:
    few, many = recall(np.array([1, 20] * 10)), recall(np.array([1, 20] * 1000))

    for found in (few, many):
        low, high = found.intervals[1]
        assert low < 50 < high
    assert many.intervals[1][1] - many.intervals[1][0] == pytest.approx(2 * 1.96 * 50 / 2000**0.5, rel=0.1)
    assert few.intervals[1][1] - few.intervals[1][0] == pytest.approx(2 * 1.96 * 50 / 20**0.5, rel=0.2)


def test_what_always_hits_has_no_doubt() -> None:
    assert recall(np.ones(7, np.int64)).intervals[10] == (100.0, 100.0)


def test_what_belongs_together_is_drawn_together() -> None:
    # Five captions of each image, which are all found or all missed: no more evidence than one.
    ranks, groups = np.repeat([1, 20] * 20, 5), np.repeat(np.arange(40), 5)

    apart, together = recall(ranks), recall(ranks, groups=groups)
    single = recall(ranks[::5])

    assert together.at == apart.at
    assert together.intervals[1] == single.intervals[1]
    assert together.intervals[1][0] < apart.intervals[1][0] < apart.intervals[1][1] < together.intervals[1][1]


def test_recall_can_be_exact() -> None:
    assert recall(np.array([1, 20, 20]), digits=None).at[1] == pytest.approx(100 / 3, abs=1e-12)
