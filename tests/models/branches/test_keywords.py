"""Where in time a keyword was said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.branches.keywords import attended, integrated


@pytest.mark.parametrize(
    ("attention", "run"),
    [
        ([1.0], (0, 1)),
        ([0.1, 0.1, 0.6, 0.1, 0.1], (2, 3)),
        ([0.1, 0.3, 0.3, 0.3], (1, 3)),
        ([0.5, 0.0, 0.0, 0.5], (0, 1)),
        ([0.0, 0.0, 1.0], (2, 3)),
        ([0.25, 0.25, 0.25, 0.25], (0, 2)),
    ],
)
def test_attention_lies_in_the_shortest_run_that_holds_half_of_it(attention: list[float], run: tuple[int, int]) -> None:
    assert attended(np.array(attention, np.float32)) == run


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30).filter(any), st.sampled_from([0.25, 0.5, 0.9, 1.0]))
def test_no_shorter_run_holds_as_much(weights: list[int], share: float) -> None:
    attention = np.array(weights, np.float32)
    start, end = attended(attention, share)
    runs = [(first, last) for first in range(len(weights)) for last in range(first, len(weights) + 1)]
    enough = [run for run in runs if sum(weights[slice(*run)]) >= share * sum(weights)]

    assert (start, end) == min(enough, key=lambda run: (run[1] - run[0], run[0]))


def test_what_was_integrated_lies_where_its_frames_are() -> None:
    assert integrated(np.array([0.0, 0.25, 0.0, 0.75, 0.0], np.float32)) == (1, 4)
    assert integrated(np.array([1.0], np.float32)) == (0, 1)
