"""Nothing overlaps, and everything is in the picture."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from training.scenes.compose import COUNTS
from training.scenes.geometry import SIDE, Rect
from training.scenes.layout import cells, squares


def overlap(one: Rect, other: Rect) -> bool:
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return across > 1e-6 and down > 1e-6


@pytest.mark.parametrize("counts", COUNTS)
def test_things_are_apart(counts: tuple[int, ...]) -> None:
    for seed in range(50):
        rng = random.Random(seed)
        groups = [
            squares(cell, count, rng.uniform(0.3, 1.0), len(counts) == 1, rng)
            for cell, count in zip(cells(counts, rng), counts, strict=True)
        ]
        placed = [where for group in groups for where in group]

        assert [len(group) for group in groups] == [*counts]
        assert not any(overlap(one, other) for one, other in combinations(placed, 2))
        for where in placed:
            assert where.width == pytest.approx(where.height)
            assert where.width > 8
            assert min(where.left, where.top) >= 0
            assert max(where.right, where.bottom) <= SIDE
