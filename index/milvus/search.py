"""The nearest rows of a Milvus collection, exactly those that a filter lets through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from index.filters import Filter, matches
from index.milvus.connection import MOST_ROWS, Connection
from index.milvus.expressions import expression
from index.milvus.keys import STATE, is_after
from index.milvus.manifest import Manifest, physical
from index.milvus.rows import FIELDS, record_of, vector_of
from index.ranking import Hit
from index.records import Vectors

GROWTH = 4
PAGE = 1000
_IN_ORDER: Mapping[str, Any] = {"iterator": "True", "reduce_stop_for_best": "True"}
"""What pymilvus' own iterators send: the first rows by their keys, whatever segments they lie in."""


class Searcher:
    """Reads one collection."""

    def __init__(self, connection: Connection, manifest: Manifest) -> None:
        self._connection, self._manifest = connection, manifest
        self._name, self._field = physical(manifest.name), manifest.vector_field

    def nearest(self, query: Vectors, k: int, where: Filter | None) -> list[Hit]:
        """The k nearest records for one query (dim,), best first, ties by id."""
        condition = None if where is None else expression(where)
        asked = k + 2  # the state may be among them, and one more tells whether the last ones tie
        while asked <= MOST_ROWS:
            rows = self._ask(query, asked, condition)
            hits = _ranked(rows, where)
            if len(hits) >= k and (len(rows) < asked or rows[-1]["distance"] < hits[k - 1].score or asked == MOST_ROWS):
                return hits[:k]
            # An index that is not exact may give fewer than there are.
            if len(rows) < asked and len(rows) >= self.count(condition):
                return hits[:k]
            if asked == MOST_ROWS:
                break
            asked = min(asked * GROWTH, MOST_ROWS)
        return self._scan(query, k, where, condition)

    def count(self, condition: str | None = None) -> int:
        """Rows for which a condition is true, the state among them."""
        found = self._connection.call("query", self._name, filter=condition or "", output_fields=["count(*)"])
        return int(found[0]["count(*)"])

    def pages(
        self, size: int, after: str = STATE, condition: str | None = None, vectors: bool = False
    ) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Rows by their keys, from the first one after `after`, up to `size` at a time; none is empty."""
        fields = [*FIELDS, self._field] if vectors else FIELDS
        limit = min(size, MOST_ROWS)
        while True:
            place = is_after(after) if condition is None else f"{is_after(after)} and ({condition})"
            rows = self._connection.call(
                "query", self._name, filter=place, output_fields=fields, limit=limit, **_IN_ORDER
            )
            # A server may give more or fewer than the limit while there are more; only nothing is the end.
            if not rows:
                return
            yield rows
            after = rows[-1]["key"]

    def _ask(self, query: Vectors, limit: int, condition: str | None) -> Sequence[Mapping[str, Any]]:
        found = self._connection.call(
            "search",
            self._name,
            data=[query.tolist()],
            anns_field=self._field,
            limit=limit,
            filter=condition or "",
            output_fields=FIELDS,
            search_params={"metric_type": "IP"},
        )
        return [{**hit["entity"], "distance": hit["distance"]} for hit in found[0]]

    def _scan(self, query: Vectors, k: int, where: Filter | None, condition: str | None) -> list[Hit]:
        """Every row looked at: for filters that Milvus cannot tell, and for more results than it gives at once."""
        best = list[Hit]()
        for rows in self.pages(PAGE, condition=condition, vectors=True):
            scored = [{**row, "distance": float(query @ vector_of(row, self._field))} for row in rows]
            best = _sorted([*best, *_ranked(scored, where)])[:k]
        return best


def _ranked(rows: Sequence[Mapping[str, Any]], where: Filter | None) -> list[Hit]:
    """Hits among rows, best first; the last word on what a filter lets through."""
    hits = [Hit(record_of(row), _cosine(row["distance"])) for row in rows if row["key"] != STATE]
    return _sorted([hit for hit in hits if where is None or matches(where, hit.record)])


def _sorted(hits: Sequence[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit.score, hit.record.id))


def _cosine(distance: float) -> float:
    """Unit length holds within a tolerance only; a cosine is never above one."""
    return float(np.clip(distance, -1.0, 1.0))
