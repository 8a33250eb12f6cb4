from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.collection import Collection
from index.store import Store

Vectors = NDArray[np.float32]


@pytest.fixture
def unit_vectors() -> Callable[..., Vectors]:
    """Random unit vectors (count, dim), the same for the same seed."""

    def make(count: int, dim: int = 8, seed: int = 0) -> Vectors:
        vectors = np.random.default_rng(seed).standard_normal((count, dim))
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    return make


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "collections")


@pytest.fixture
def collection(store: Store) -> Iterator[Collection]:
    with store.create("images", "images", dim=8, fingerprint="model-a") as collection:
        yield collection
