"""Results that differ from one another: maximal marginal relevance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from index.records import Vectors


def diverse(scores: NDArray[np.float32], vectors: Vectors, diversity: float, k: int) -> list[int]:
    """The first k of N candidates, all where there are fewer, each near to the query and far from those before it.

    scores: (N,) cosines with the query. vectors: (N, dim), of unit length. diversity: 0 orders by score alone; up to 1,
    where every candidate but the first is judged by its distance to the nearest of those before it alone.

    The first is the nearest, and of equal ones the earlier. A smaller k gives the beginning of the same order.
    """
    order, closest = list[int](), np.full(len(scores), -np.inf, np.float64)
    left = np.ones(len(scores), np.bool_)
    worth = np.asarray(scores, np.float64)
    for _ in range(min(k, len(scores))):
        best = int(np.argmax(np.where(left, worth, -np.inf)))
        order.append(best)
        left[best] = False
        closest = np.maximum(closest, vectors @ vectors[best])
        worth = (1 - diversity) * scores - diversity * closest
    return order
