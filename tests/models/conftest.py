from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tiny_model import STYLES, Style, save_tiny_model

Waves = list[NDArray[np.float32]]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model. Copy it before you change it."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> Style:
    chosen: Style = request.param
    return chosen


@pytest.fixture
def noises() -> Callable[[Sequence[int]], Waves]:
    """Seeded noise of the given numbers of samples, each with a loudness and an offset of its own."""

    def make(lengths: Sequence[int]) -> Waves:
        random = np.random.default_rng(7122)
        return [
            (0.1 * (place + 1) * random.standard_normal(length) + 0.05 * place).astype(np.float32)
            for place, length in enumerate(lengths)
        ]

    return make
