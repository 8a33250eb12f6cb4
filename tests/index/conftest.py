from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.collection import Collection
from index.large.builder import Builder
from index.store import Store
from tests.index.built_base import clustered
from tests.index.built_collection import COUNT, DIM, change, record, run_here

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


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes are built here, not in a process of their own."""
    monkeypatch.setattr(Builder, "run", run_here)


@pytest.fixture
def large(store: Store, in_this_process: None) -> Iterator[Collection]:
    """Records with a built index, some of them changed since."""
    with store.create("large", "images", DIM, "model") as collection:
        collection.add([record(number) for number in range(COUNT)], clustered(COUNT))
        collection.build("HNSW-SQ8", 0.9)
        change(collection)
        yield collection
