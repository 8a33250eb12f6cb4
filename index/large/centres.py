"""Where the lists of an index lie: thousands of centres, each in the middle of some of the vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.large.recipes import COMPARED_CENTRES, NEIGHBOURS
from index.records import Vectors
from index.vectors import Ids, faiss

ROUNDS = 4
"""Of moving centres into the middle of what is nearest to them; after that they move hardly."""
SEED = 7
MOST_PER_CENTRE = 256
"""Vectors of which a first centre is learned."""
FOLLOWED = 32
"""Candidates for the nearest centre, where a graph finds it."""

Tell = Callable[[str, int, int], object]
"""(step, done, total)"""


def centres(sample: Vectors, count: int, tell: Tell) -> Vectors:
    """So many unit vectors (count, dim), each in the middle of some of the sample, which has as many or more.

    The first are found in groups of vectors that lie together, which is a hundred times as quick as k-means with all of
    them; but groups cut through what belongs together, and so all are moved afterwards.
    """
    found = _first(sample, count)
    for done in range(ROUNDS):
        tell("finding centres", done, ROUNDS)
        found = _moved(found, sample)
    tell("finding centres", ROUNDS, ROUNDS)
    return found


def _first(sample: Vectors, count: int) -> Vectors:
    groups = max(1, math.isqrt(count))
    _, group = _nearest(_means(sample, groups), sample)
    shares = _shares(np.bincount(group, minlength=groups), count)
    parts = [
        _means(np.ascontiguousarray(sample[group == number]), int(shares[number])) for number in np.flatnonzero(shares)
    ]
    return np.concatenate(parts)


def _moved(centres: Vectors, sample: Vectors) -> Vectors:
    """Each to the middle of the vectors that it is nearest to; those of none to the vectors that are worst off."""
    scores, nearest = _nearest(centres, sample)
    order = np.argsort(nearest, kind="stable")
    used, starts = np.unique(nearest[order], return_index=True)
    sums = np.add.reduceat(sample[order], starts, axis=0)
    moved = centres.copy()
    moved[used] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    unused = np.setdiff1d(np.arange(len(centres)), used)
    moved[unused] = sample[np.argsort(scores, kind="stable")[: len(unused)]]
    return moved


def _means(vectors: Vectors, count: int) -> Vectors:
    clustering = faiss.Kmeans(
        vectors.shape[1], count, niter=10, spherical=True, seed=SEED,
        min_points_per_centroid=1, max_points_per_centroid=MOST_PER_CENTRE,
    )  # fmt: skip
    clustering.train(vectors)
    means: Vectors = clustering.centroids
    return means


def _nearest(centres: Vectors, vectors: Vectors) -> tuple[NDArray[np.float32], Ids]:
    """The score and the number of the centre that is nearest to each vector."""
    index = _index(centres)
    index.add(centres)
    scores, nearest = index.search(vectors, 1)
    return scores[:, 0], nearest[:, 0]


def _index(centres: Vectors) -> Any:
    dim = centres.shape[1]
    if len(centres) <= COMPARED_CENTRES:
        return faiss.IndexFlatIP(dim)
    graph = faiss.IndexHNSWFlat(dim, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efSearch = FOLLOWED
    return graph


def _shares(sizes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """`count` shared out in proportion to sizes, one at least to each that is not empty, none more than its size."""
    shares: NDArray[np.int64] = np.maximum(sizes * count // sizes.sum(), np.minimum(sizes, 1))
    while (missing := count - int(shares.sum())) != 0:
        crowded = np.where(shares > 0, sizes / np.maximum(shares, 1), 0)
        # The most crowded get one more each; the least crowded that have more than one give one back.
        order = np.argsort(-crowded if missing > 0 else crowded, kind="stable")
        able = order[(shares[order] < sizes[order]) if missing > 0 else (shares[order] > 1)]
        shares[able[: abs(missing)]] += np.sign(missing)
    return shares
