"""Recall of a gallery: a hit is any member of what was said among the top k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RANKS = (1, 5, 10)
RESAMPLES = 2_000


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


@dataclass(frozen=True)
class Recall:
    """Recall over `utterances` queries: k -> per cent, and the 95 % bootstrap interval of each."""

    utterances: int
    at: Mapping[int, float]
    intervals: Mapping[int, tuple[float, float]]


def recall(ranks: NDArray[np.int64], points: Sequence[int] = RANKS) -> Recall:
    """Of the rank of the best answer of each query, of which there must be one at least."""
    at = {k: round(100 * float(np.mean(ranks <= k)), 1) for k in points}
    return Recall(len(ranks), at, {k: _interval(ranks <= k) for k in points})


def _interval(hits: NDArray[np.bool_]) -> tuple[float, float]:
    drawn = np.random.default_rng(0).integers(0, len(hits), (RESAMPLES, len(hits)))
    low, high = np.percentile(100 * hits[drawn].mean(axis=1), (2.5, 97.5))
    return round(float(low), 1), round(float(high), 1)
