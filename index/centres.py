"""Where the lists of an index lie: thousands of centres, found among a few at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from index.records import Vectors
from index.vectors import faiss

ITERATIONS = 10
SEED = 7
MOST_PER_CENTRE = 256
"""Vectors that a centre is learned from; more move it hardly."""

Tell = Callable[[str, int, int], object]
"""(step, done, total)"""


def centres(sample: Vectors, count: int, tell: Tell) -> Vectors:
    """So many unit vectors (count, dim), each in the middle of some of the sample, which has as many or more.

    First some groups, then centres in each of them: k-means with all of them at once compares every vector with every
    centre, which takes a hundred times as long, and finds lists that are little better.
    """
    groups = max(1, math.isqrt(count))
    group = _nearest(_means(sample, groups), sample)
    shares = _shares(np.bincount(group, minlength=groups), count)
    found = list[Vectors]()
    for number in np.flatnonzero(shares):
        found.append(_means(np.ascontiguousarray(sample[group == number]), int(shares[number])))
        tell("finding centres", sum(map(len, found)), count)
    return np.concatenate(found)


def _means(vectors: Vectors, count: int) -> Vectors:
    clustering = faiss.Kmeans(
        vectors.shape[1], count, niter=ITERATIONS, spherical=True, seed=SEED,
        min_points_per_centroid=1, max_points_per_centroid=MOST_PER_CENTRE,
    )  # fmt: skip
    clustering.train(vectors)
    means: Vectors = clustering.centroids
    return means


def _nearest(means: Vectors, vectors: Vectors) -> NDArray[np.int64]:
    index = faiss.IndexFlatIP(means.shape[1])
    index.add(means)
    nearest: NDArray[np.int64] = index.search(vectors, 1)[1][:, 0]
    return nearest


def _shares(sizes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """`count` shared out in proportion to sizes, one at least to each that is not empty, none more than its size."""
    shares: NDArray[np.int64] = np.maximum(sizes * count // sizes.sum(), np.minimum(sizes, 1))
    while (missing := count - int(shares.sum())) != 0:
        crowded = np.where(shares > 0, sizes / np.maximum(shares, 1), 0)
        # The most crowded get one more each; the least crowded that have more than one give one back.
        order = np.argsort(-crowded, kind="stable") if missing > 0 else np.argsort(crowded, kind="stable")
        able = order[(shares[order] < sizes[order]) if missing > 0 else (shares[order] > 1)]
        shares[able[: abs(missing)]] += np.sign(missing)
    return shares
