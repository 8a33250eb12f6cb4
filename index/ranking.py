"""From the scores of an index to hits: which rows are among the best, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from index.durable.rows import Row
from index.records import Record, Vectors
from index.vectors import Ids, VectorIndex


@dataclass(frozen=True)
class Hit:
    """A record that was found."""

    record: Record
    score: float
    """Cosine in [-1, 1], where nothing was added to it."""
    vector: Vectors | None = field(default=None, repr=False, compare=False)
    """That of the record, (dim,), if vectors were asked for."""


def nearest(index: VectorIndex, query: Vectors, k: int, among: Ids | None = None) -> dict[int, float]:
    """The scores of the k best rows for one query (dim,), and of every other row that ties with the last of them.

    `among`, ascending, are the only rows that may be found.
    """
    wanted = k + 1
    while True:
        found, rows = index.search(query[np.newaxis], wanted, among)
        # Unit length holds within a tolerance only; a cosine is never above one.
        scores = np.clip(found[0], -1.0, 1.0)
        if len(scores) < wanted or scores[-1] < scores[k - 1]:
            last = scores[:k].min(initial=1.0)
            return {int(row): float(score) for row, score in zip(rows[0], scores, strict=True) if score >= last}
        wanted *= 2


def ranked(scores: Mapping[int, float], rows: Mapping[int, Row], k: int, with_vectors: int = 0) -> list[Hit]:
    """The k best, ties by id, so many of them with their vectors."""
    best = sorted(scores, key=lambda row: (-scores[row], rows[row].record.id))[:k]
    hits = [(rows[row], scores[row], place < with_vectors) for place, row in enumerate(best)]
    return [Hit(row.record, score, row.vector if wanted else None) for row, score, wanted in hits]


def with_vectors(hits: Sequence[Hit], known: Mapping[str, tuple[Record, Vectors]]) -> list[Hit]:
    """The same hits; those that `Collection.fetch` knows have its vectors."""
    return [replace(hit, vector=known[hit.record.id][1]) if hit.record.id in known else hit for hit in hits]
