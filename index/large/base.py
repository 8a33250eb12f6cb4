"""The part of a large index that does not change: full vectors, and what finds nearly all of the nearest of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from index.large.matrix import Matrix
from index.records import Vectors
from index.vectors import Ids, Scores, faiss

FEWEST_WANTED = 10
"""Records for which a search takes candidates, however few are asked for."""


class Selection:
    """Places that may be found, ascending, out of so many."""

    def __init__(self, places: Ids, total: int) -> None:
        self.places = places
        self.share = len(places) / total
        self._total = total

    @cached_property
    def selector(self) -> Any:
        """The same for FAISS."""
        chosen = np.zeros(self._total, np.bool_)
        chosen[self.places] = True
        return faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))


class Candidates(Protocol):
    """What a built index is asked for, wherever it is."""

    def candidates(self, query: Vectors, wanted: int, among: Any | None = None, wider: float = 1.0) -> Ids:
        """See `Approximate.candidates`."""
        ...


@dataclass(frozen=True)
class Finder:
    """A built index, and where it is worth its while."""

    index: Candidates
    depth: int
    """Candidates for every record that is asked for."""
    exact_share: float
    """Among no more than this share of all places, a comparison with each is quicker."""


class Base:
    """Searches many vectors; without a finder, every one of them. Safe for concurrent searches."""

    def __init__(self, matrix: Matrix, finder: Finder | None) -> None:
        self.matrix = matrix
        self.finder = finder

    def search(self, query: Vectors, k: int, selection: Selection | None = None) -> tuple[Scores, Ids]:
        """Scores, best first, and places (K) for one query (dim,); exact scores, of nearly the nearest.

        K is k, or the number of places that may be found where that is less: that many are found in any case.
        """
        places = None if selection is None else selection.places
        if self.finder is None or (selection is not None and selection.share <= self.finder.exact_share):
            return self.matrix.search(query, k, places)
        found = self._candidates(self.finder, query, k, selection)
        if len(found) < min(k, self.matrix.count if places is None else len(places)):
            return self.matrix.search(query, k, places)
        return self.matrix.search(query, k, found)

    def _candidates(self, finder: Finder, query: Vectors, k: int, selection: Selection | None) -> Ids:
        wanted = min(self.matrix.count, finder.depth * max(k, FEWEST_WANTED))
        if selection is None:
            return finder.index.candidates(query, wanted)
        # As many that may be found are then looked at as if all might be.
        return finder.index.candidates(query, wanted, selection.selector, 1 / selection.share)
