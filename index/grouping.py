"""The nearest record of each value of a field: one image per product, one caption per speaker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from index.filters import And, Field, Filter, In, Not, Scalar, kind_of, value_of
from index.ranking import Hit

FEWEST_HITS = 64
MOST_HITS = 4096
"""Hits of one search, where not more are wanted anyway."""
MOST_SEARCHES = 16

Search = Callable[[int, Filter | None], Sequence[Hit]]
"""The nearest so many that a filter lets through, best first."""


class Grouped(NamedTuple):
    """One hit per value, best first; `complete` unless the searches ran out before there were enough."""

    hits: list[Hit]
    complete: bool


def nearest_of_each(search: Search, field: Field, k: int, where: Filter | None = None) -> Grouped:
    """The nearest record of each of the k values that are nearest, or of all where there are fewer.

    A value is a text, a number or a boolean. A record without one, or with a list or an object, stands for itself.
    """
    groups, size = _Groups(field), min(max(FEWEST_HITS, 4 * k), max(k, MOST_HITS))
    for _ in range(MOST_SEARCHES):
        hits = search(size, groups.others(where))
        groups.add(hits)
        if len(groups.best) >= k or len(hits) < size:
            return Grouped(groups.best[:k], True)
        size = min(4 * size, max(k, MOST_HITS))
    return Grouped(groups.best, False)


class _Groups:
    """The best hit of every value that was met. What is found later is farther, if it is of other values."""

    def __init__(self, field: Field) -> None:
        self.best = list[Hit]()
        self._field = field
        self._values = dict[tuple[str, Scalar], None]()
        self._alone = dict[str, None]()

    def add(self, hits: Sequence[Hit]) -> None:
        for hit in hits:
            value = value_of(hit.record, self._field)
            if value is None or isinstance(value, list | dict):
                new, self._alone[hit.record.id] = hit.record.id not in self._alone, None
            else:
                # True is 1 in a dictionary, and 1.0 as well; only the latter is the same value.
                key = (str(kind_of(value)), value)
                new, self._values[key] = key not in self._values, None
            if new:
                self.best.append(hit)

    def others(self, where: Filter | None) -> Filter | None:
        """Leaves the values that were met out."""
        met = [In(self._field, tuple(value for _, value in self._values)), In(Field("id"), tuple(self._alone))]
        rest = [Not(one) for one in met if one.values]
        return And((*([where] if where is not None else []), *rest)) if rest else where
