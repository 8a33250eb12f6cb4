"""Retrieval figures: how often something right is among the top k, and how sure that is (spec section 8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RANKS = (1, 5, 10)
RESAMPLES = 2_000
_BLOCK = 1 << 24  # scores, and drawn queries, that are held at one time

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]
Members = Sequence[int] | Numbers


@dataclass(frozen=True)
class Ranks:
    """Rank (from 1) of the best member for each query, by how ties with what is not right are broken.

    by_position: lower positions of the gallery go first; luckiest, unluckiest: always for, or against, the member.
    """

    by_position: Numbers
    luckiest: Numbers
    unluckiest: Numbers


def best_ranks(queries: Vectors, gallery: Vectors, members: Sequence[Members]) -> Numbers:
    """Rank (from 1) of the best member for each query; ties go to the lower position of the gallery.

    queries: (Q, E) and gallery: (G, E), unit vectors; members: for each query the right positions of the gallery.
    Raises `ValueError` for vectors that are no numbers.
    """
    return rank(queries, gallery, members).by_position


def rank(queries: Vectors, gallery: Vectors, members: Sequence[Members]) -> Ranks:
    """The same, with what ties could have made of it."""
    found = np.empty((3, len(queries)), np.int64)
    for row, scores in enumerate(_scores(queries, gallery)):
        found[:, row] = ranks_of(scores, np.asarray(members[row]))
    return Ranks(*found)


def nearest(queries: Vectors, gallery: Vectors) -> Numbers:
    """(Q,) the position in the gallery that is nearest to each query, the lowest of equally near ones."""
    return np.array([int(scores.argmax()) for scores in _scores(queries, gallery)], np.int64)


def _scores(queries: Vectors, gallery: Vectors) -> Iterator[Vectors]:
    """The (G,) scores of each query, equal for equal rows of the gallery. All of them can be more than memory."""
    if not (np.isfinite(queries).all() and np.isfinite(gallery).all()):
        raise ValueError("there are vectors with values that are no numbers")
    different, place = _different(gallery)
    step = max(1, _BLOCK // max(1, len(gallery)))
    for start in range(0, len(queries), step):
        scores = queries[start : start + step] @ different.T
        yield from scores if place is None else (one[place] for one in scores)


def _different(gallery: Vectors) -> tuple[Vectors, Numbers | None]:
    """(D, E) different rows and the (G,) place of each row of the gallery among them; None where all are different.

    A matrix product may sum its last columns in another order than the rest, so that equal rows get unequal scores.
    """
    seen = dict[bytes, int]()
    place = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in gallery], np.int64)
    if len(seen) == len(gallery):
        return gallery, None
    return gallery[np.unique(place, return_index=True)[1]], place


def ranks_of(scores: Vectors, right: Numbers) -> tuple[int, int, int]:
    """The three ranks of one query with (G,) scores; right: positions."""
    best = scores[right].max()
    equal = np.flatnonzero(scores == best)
    first = right[scores[right] == best].min()
    above = 1 + int(np.count_nonzero(scores > best))
    others = len(equal) - np.isin(equal, right).sum()
    return above + int(np.count_nonzero(equal < first)), above, above + int(others)


@dataclass(frozen=True)
class Recall:
    """Recall over `utterances` queries: k -> per cent, and the 95 % bootstrap interval of each."""

    utterances: int
    at: Mapping[int, float]
    intervals: Mapping[int, tuple[float, float]]


def recall(
    ranks: Numbers, points: Sequence[int] = RANKS, groups: Numbers | None = None, digits: int | None = 1
) -> Recall:
    """Of the rank of the best answer of each query, of which there must be one at least; `digits` None: unrounded.

    groups: (Q,) from 0, which queries belong together (the captions of one image are no independent evidence):
        intervals are those of drawing groups anew, instead of single queries.
    """
    hits = ranks[:, None] <= np.asarray(points)
    at = {k: _round(100 * float(rate), digits) for k, rate in zip(points, hits.mean(axis=0), strict=True)}
    return Recall(len(ranks), at, interval(resampled(hits, groups), points, digits))


def resampled(hits: NDArray[np.bool_], groups: Numbers | None = None) -> NDArray[np.float64]:
    """(Q, K) hits -> (RESAMPLES, K) per cent of them in as many seeded draws of groups, the same ones every time."""
    groups = np.arange(len(hits)) if groups is None else groups
    count = int(groups.max()) + 1
    sums = np.stack([np.bincount(groups, column, count) for column in hits.T], axis=1)
    sizes = np.bincount(groups, minlength=count)
    rng, step = np.random.default_rng(0), max(1, _BLOCK // count)
    rates = []
    for start in range(0, RESAMPLES, step):
        drawn = rng.integers(0, count, (min(step, RESAMPLES - start), count))
        offsets = count * np.arange(len(drawn))[:, None]
        weights = np.bincount((drawn + offsets).ravel(), minlength=drawn.size).reshape(drawn.shape)
        rates.append(100 * (weights @ sums) / (weights @ sizes)[:, None])
    return np.concatenate(rates)


def interval(
    rates: NDArray[np.float64], points: Sequence[int] = RANKS, digits: int | None = 1
) -> Mapping[int, tuple[float, float]]:
    """point -> the middle 95 % of the rates, (RESAMPLES, K), of its draws."""
    low, high = np.percentile(rates, (2.5, 97.5), axis=0)
    return {k: (_round(low[n], digits), _round(high[n], digits)) for n, k in enumerate(points)}


def _round(number: float, digits: int | None) -> float:
    return float(number) if digits is None else round(float(number), digits)
