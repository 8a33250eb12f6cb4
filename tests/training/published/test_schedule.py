"""The learning rate, step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.published.recipe import Optimiser
from training.published.schedule import factor

PUBLISHED = Optimiser()


def test_it_is_that_of_the_authors(parity: Path) -> None:
    with np.load(parity / "units" / "units.npz") as units:
        steps, expected = units["lr/steps"], units["lr/values"]
    ours = [PUBLISHED.rate * factor(int(step), PUBLISHED) for step in steps]

    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=0)


def test_it_stays_where_it_ended() -> None:
    assert factor(60_000, PUBLISHED) == pytest.approx(1e-4)


def test_it_may_begin_at_its_peak() -> None:
    assert factor(0, Optimiser(warmup=0, steps=100_000)) == pytest.approx(1, abs=1e-4)
