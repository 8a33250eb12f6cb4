"""Small bases of every recipe, built in the test's own process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.large import approximate, building, matrix
from index.large.approximate import Approximate
from index.large.base import Base, Finder
from index.large.matrix import Matrix
from index.large.recipes import RECIPES, RecipeName
from index.manifest import Setting
from index.vectors import Ids

APPROXIMATE: list[RecipeName] = ["FP16", "SQ8", "HNSW", "HNSW-SQ8", "IVF-Flat", "IVF-SQ8", "IVF-PQ"]


def clustered(count: int, dim: int = 16, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors (count, dim) around twenty centres, the same for the same seed."""
    centres, chance = np.random.default_rng(0).standard_normal((20, dim)), np.random.default_rng(seed)
    vectors = centres[chance.integers(0, 20, count)] + 0.5 * chance.standard_normal((count, dim))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def matrix_of(folder: Path, ids: Ids, vectors: NDArray[np.float32]) -> Matrix:
    """These vectors in a file."""
    matrix.write(folder / "vectors", [(ids, vectors)])
    return Matrix(folder / "vectors", len(ids), vectors.shape[1])


def setting_of(name: RecipeName) -> Setting:
    """A quick one, that misses some."""
    recipe = RECIPES[name]
    return Setting(nprobe=2 if recipe.lists else None, ef=16 if recipe.graph else None, depth=4)


def base_of(folder: Path, name: RecipeName, full: Matrix, exact_share: float = 0.0) -> Base:
    """Search those by a recipe, whatever the share of them that may be found."""
    recipe = RECIPES[name]
    if name != "Flat":
        building.write_index(building.index_of(recipe, full, 1, lambda *_: None), folder / "index")
        index = Approximate(approximate.load(folder / "index", recipe.lists), setting_of(name))
        return Base(full, Finder(index, 4, exact_share))
    return Base(full, None)
