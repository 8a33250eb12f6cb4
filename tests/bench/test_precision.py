"""What a change of vectors does to ranks."""

from __future__ import annotations

import numpy as np
import pytest

from bench.precision import changes


def test_ranks_are_compared_by_the_first_and_by_the_first_ten_as_a_set() -> None:
    gallery = np.eye(12, dtype=np.float32)
    expected = np.sort(np.random.default_rng(0).random((2, 12)).astype(np.float32))[:, ::-1]
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    found = expected.copy()
    found[1, [0, 1]] = found[1, [1, 0]]

    rates = changes(expected, found, gallery)

    assert rates["first the same, %"] == 50
    assert rates["first ten the same, %"] == 100
    assert rates["worst"] > 0
    assert changes(expected, expected, gallery)["worst"] == pytest.approx(0, abs=1e-6)
