"""A large index that changes: a base that does not, and beside it what was stored and what went since."""

from __future__ import annotations

import numpy as np

from index.large.base import Base, Selection
from index.records import Vectors
from index.vectors import FaissIndex, Ids, Scores

FEWEST_CHANGES = 10_000
"""As many vectors as are compared with a query in about a millisecond."""
MOST_CHANGES = 50_000
CHANGED_SHARE = 0.02


class LayeredIndex:
    """A `VectorIndex`. Changes are compared exactly, from memory, and the base is told what of it not to find."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self._recent = FaissIndex(base.matrix.dim)
        self._alive = np.ones(base.matrix.count, np.bool_)
        self._survivors: Selection | None = None
        """None: all."""

    @property
    def dim(self) -> int:
        return self.base.matrix.dim

    @property
    def count(self) -> int:
        survivors = self.base.matrix.count if self._survivors is None else len(self._survivors.places)
        return survivors + self._recent.count

    @property
    def is_worn(self) -> bool:
        """Whether so much has changed that a new base is worth building."""
        lost = 0 if self._survivors is None else self.base.matrix.count - len(self._survivors.places)
        return self._recent.count + lost > most_changes(self.base.matrix.count)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        self._recent.add(ids, vectors)

    def remove(self, ids: Ids) -> None:
        self._recent.remove(ids)
        places = self.base.matrix.places(ids)
        if self._alive[places].any():
            self._alive[places] = False
            self._survivors = Selection(np.flatnonzero(self._alive), len(self._alive))

    def search(self, vectors: Vectors, k: int, among: Ids | None = None) -> tuple[Scores, Ids]:
        selection = self._survivors if among is None else self._among(among)
        recent_scores, recent_ids = self._recent.search(vectors, k, among)
        if not len(vectors):
            return recent_scores, recent_ids
        found = [self.base.search(vector, k, selection) for vector in vectors]
        scores = np.concatenate([np.stack([scores for scores, _ in found]), recent_scores], axis=1)
        ids = np.concatenate([self.base.matrix.ids[np.stack([places for _, places in found])], recent_ids], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)

    def _among(self, ids: Ids) -> Selection:
        places = self.base.matrix.places(ids)
        return Selection(places[self._alive[places]], len(self._alive))


def most_changes(count: int) -> int:
    """How many changes a base of so many vectors may have beside it."""
    return round(min(max(FEWEST_CHANGES, CHANGED_SHARE * count), MOST_CHANGES))
