"""Centres in the middle of what they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from index.large import centres as centres_module
from index.large.centres import centres
from tests.index.built_base import clustered


@pytest.mark.parametrize(("vectors", "count"), [(1, 1), (20, 1), (20, 20), (400, 15), (400, 100), (1000, 256)])
def test_there_are_as_many_as_were_asked_for_all_of_unit_length(vectors: int, count: int) -> None:
    found = centres(clustered(vectors), count, lambda *_: None)
    assert found.shape == (count, 16)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_of_identical_vectors_too() -> None:
    assert centres(np.repeat(clustered(1), 50, axis=0), 7, lambda *_: None).shape == (7, 16)


def test_they_are_near_what_they_stand_for() -> None:
    sample = clustered(1000)
    found = centres(sample, 40, lambda *_: None)
    chosen = sample[np.random.default_rng(0).permutation(1000)[:40]]
    assert (sample @ found.T).max(axis=1).mean() > (sample @ chosen.T).max(axis=1).mean() + 0.02


def test_they_are_the_same_each_time() -> None:
    one, other = (centres(clustered(300), 12, lambda *_: None) for _ in range(2))
    assert (one == other).all()


@pytest.mark.parametrize("seed", range(20))
def test_shares_are_fair(seed: int) -> None:
    chance = np.random.default_rng(seed)
    sizes = chance.integers(0, 50, 8) * chance.integers(0, 2, 8)
    sizes[0] += 8
    count = int(chance.integers(np.count_nonzero(sizes), sizes.sum() + 1))
    shares = centres_module._shares(sizes, count)
    assert shares.sum() == count
    assert ((shares > 0) == (sizes > 0)).all()
    assert (shares <= sizes).all()
