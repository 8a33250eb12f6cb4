"""Recall of a gallery: a hit is any member of what was said among the top k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

RANKS = (1, 5, 10)


def best_ranks(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], members: Sequence[Sequence[int]]
) -> NDArray[np.int64]:
    """Rank (from 1) of the best member for each query; ties go to the lower position of the gallery.

    queries: (Q, E) and gallery: (G, E), unit vectors; members: for each query the right positions of the gallery.
    """
    scores = queries @ gallery.T
    order = np.argsort(-scores, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, gallery.shape[0] + 1)[None], axis=1)
    return np.array([ranks[row, list(right)].min() for row, right in enumerate(members)])


def recall_at(ranks: NDArray[np.int64], points: Sequence[int] = RANKS) -> Mapping[int, float]:
    """k -> per cent of the queries whose best rank is at most k."""
    return {k: 100 * float(np.mean(ranks <= k)) for k in points}
