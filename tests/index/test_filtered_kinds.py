"""Every kind of index, asked for the nearest among some: never another one, and always as many as there are."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from index.large import matrix
from index.large.approximate import Approximate
from index.large.base import Base, Finder
from index.large.layered import LayeredIndex
from index.large.matrix import Matrix
from index.large.recipes import RECIPES, Recipe
from index.manifest import Setting
from index.ranking import nearest
from index.vectors import FaissIndex, VectorIndex

COUNT, DIM = 2000, 16
ADDED = 50
LOST = np.arange(0, COUNT, 7, dtype=np.int64)

Vectors = NDArray[np.float32]
Kind = tuple[VectorIndex, Vectors, set[int]]


def clustered(count: int, seed: int) -> Vectors:
    """Unit vectors around few centres, many of them twice: a search that goes astray finds none of the others."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((20, DIM))
    vectors = centres[rng.integers(0, 20, count)] + 0.1 * rng.standard_normal((count, DIM))
    vectors[count // 2 :] = vectors[: count - count // 2]
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def lazy(recipe: Recipe, vectors: Vectors) -> Approximate:
    """An index that looks at as little as it may."""
    index: Any = faiss.index_factory(DIM, recipe.factory(len(vectors), DIM), faiss.METRIC_INNER_PRODUCT)
    if recipe.codes == "product":
        rotation: Any = faiss.downcast_VectorTransform(index.chain.at(0))
        rotation.niter = rotation.niter_pq_0 = rotation.niter_pq = 1
    index.train(vectors[:400])
    index.add(vectors)
    return Approximate(index, Setting(nprobe=1 if recipe.lists else None, ef=4 if recipe.graph else None))


@pytest.fixture(scope="module", params=["IDMap2,Flat", "exact", *RECIPES], ids=str)
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kind:
    """An index after deletions and additions, the vectors by id, and the ids that are there."""
    vectors, ids = clustered(COUNT + ADDED, seed=1), np.arange(COUNT + ADDED, dtype=np.int64)
    index: VectorIndex
    if request.param == "IDMap2,Flat":
        index = FaissIndex(DIM)
        index.add(ids[:COUNT], vectors[:COUNT])
    else:
        path = tmp_path_factory.mktemp("index") / "vectors"
        matrix.write(path, [(ids[:COUNT], vectors[:COUNT])])
        recipe = RECIPES.get(request.param)
        finder = None if recipe is None else Finder(lazy(recipe, vectors[:COUNT]), depth=1, exact_share=0.0)
        index = LayeredIndex(Base(Matrix(path, COUNT, DIM), finder))
    index.remove(LOST)
    index.add(ids[COUNT:], vectors[COUNT:])
    return index, vectors, set(ids.tolist()) - set(LOST.tolist())


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    share=st.sampled_from([0.0, 0.001, 0.01, 0.1, 0.5, 0.99, 1.0]),
    seed=st.integers(0, 99),
    k=st.sampled_from([1, 10, 100]),
)
def test_nothing_excluded_and_as_many_as_there_are(kind: Kind, share: float, seed: int, k: int) -> None:
    index, vectors, there = kind
    rng = np.random.default_rng(seed)
    among = np.flatnonzero(rng.random(COUNT + ADDED + 20) < share).astype(np.int64)  # some were never there
    query = clustered(1, seed=seed + 100)[0]
    allowed = there & set(among.tolist())

    scores, ids = index.search(query[None], k, among)

    found = ids[0].tolist()
    assert set(found) <= allowed
    assert len(set(found)) == len(found) == min(k, len(allowed))
    assert (np.diff(scores[0]) <= 0).all()
    assert scores[0] == pytest.approx(vectors[ids[0]] @ query, abs=1e-5)


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(share=st.sampled_from([0.001, 0.05, 0.5]), seed=st.integers(0, 99), k=st.sampled_from([1, 10]))
def test_all_that_tie_with_the_last_come_along(kind: Kind, share: float, seed: int, k: int) -> None:
    """Those among the candidates that an index looks at, and so all of them where it looks at every vector."""
    index, vectors, there = kind
    among = np.flatnonzero(np.random.default_rng(seed).random(COUNT + ADDED) < share).astype(np.int64)
    query = vectors[seed]
    allowed = there & set(among.tolist())

    found = nearest(index, query, k, among)

    assert set(found) <= allowed
    assert len(found) >= min(k, len(allowed))
    if isinstance(index, FaissIndex) or (isinstance(index, LayeredIndex) and index.base.finder is None):
        scores = {one: float(vectors[one] @ query) for one in allowed}
        last = sorted(scores.values(), reverse=True)[:k][-1] if scores else 0.0
        assert set(found) >= {one for one, score in scores.items() if score > last + 1e-5}
        assert all(scores[one] >= last - 1e-5 for one in found)
