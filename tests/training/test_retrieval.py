"""Ranks and recall."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.retrieval import RANKS, best_ranks, recall_at


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
        assert recall_at(ranks)[k] == pytest.approx(100 * sum(rank <= k for rank in ranks) / count)


def test_recall_is_in_per_cent() -> None:
    assert recall_at(np.array([1, 2, 6, 11])) == {1: 25.0, 5: 50.0, 10: 75.0}
