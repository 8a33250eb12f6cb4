from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from index.diversity import diverse

Vectors = NDArray[np.float32]


def angle(*degrees: float) -> Vectors:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_without_diversity_the_order_is_that_of_the_scores() -> None:
    candidates = angle(1, 2, 3, 50, 51)
    assert diverse(candidates[:, 0], candidates, 0, 9) == [0, 1, 2, 3, 4]


def test_what_is_like_an_earlier_one_comes_later() -> None:
    candidates = angle(1, 2, 3, 50, -60)
    assert diverse(candidates[:, 0], candidates, 0.7, 5) == [0, 4, 3, 2, 1]


def test_at_its_most_only_the_first_is_chosen_by_its_score() -> None:
    candidates = angle(5, 10, 170, 90)
    assert diverse(candidates[:, 0], candidates, 1, 4) == [0, 2, 3, 1]


def test_equal_candidates_keep_their_order() -> None:
    candidates = angle(0, 0, 0, 0)
    assert diverse(candidates[:, 0], candidates, 0.7, 4) == [0, 1, 2, 3]


def test_nothing_has_an_order() -> None:
    assert diverse(np.empty(0, np.float32), np.empty((0, 3), np.float32), 0.5, 3) == []


@pytest.mark.parametrize("diversity", [0.0, 0.3, 0.9, 1.0])
def test_each_is_the_best_that_is_left(unit_vectors: Callable[..., Vectors], diversity: float) -> None:
    candidates, query = unit_vectors(30, seed=1), unit_vectors(1, seed=2)[0]
    scores = candidates @ query

    order = diverse(scores, candidates, diversity, 30)

    assert sorted(order) == list(range(30))
    assert diverse(scores, candidates, diversity, 7) == order[:7]
    assert order[0] == int(np.argmax(scores))
    for place in range(1, 30):
        chosen, rest = order[:place], order[place:]
        worth = [
            (1 - diversity) * scores[one] - diversity * (candidates[chosen] @ candidates[one]).max() for one in rest
        ]
        assert worth[0] == pytest.approx(max(worth), abs=1e-6)
