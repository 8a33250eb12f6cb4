"""The page of results that a query asks for: filtered, grouped, spread out."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from app.query.embedding import Vector
from app.query.heard import MOST_RANKED, NEAR_A_WORD, NOTHING, Heard
from app.query.keywords import SCORE_DIGITS
from app.query.requests import Include, NearestQuery
from app.schemas import Keyword, Result
from index.backend import Collection
from index.diversity import diverse
from index.filters import Filter
from index.grouping import Grouped, nearest_of_each
from index.ranking import Hit, with_vectors
from index.records import Vectors

MOST_DIVERSE = 500
"""Nearest results among which diversity chooses. Those after them come as they are near."""


@dataclass(frozen=True)
class Page:
    """The hits of one page. `capped` is there for what knows a cap: whether it was met."""

    hits: list[Hit]
    capped: bool | None = None


def page_of(collection: Collection, vector: Vector, query: NearestQuery, heard: Heard = NOTHING) -> Page:
    """Blocks; `vector` is (dim,), of unit length; `heard`: words that bring forward the records that have them."""

    def near(k: int, where: Filter | None) -> list[Hit]:
        nonlocal heard
        # Words choose once, among the nearest of all: groups are looked for again without those that were met.
        words, heard = heard, NOTHING
        if words:
            return _by_words(collection, vector, words, k, query.min_score, where, compared)
        return _near_enough(collection.search(vector[None, :], k, where, compared)[0], query.min_score)

    end, compared = query.offset + query.top_k, MOST_DIVERSE if query.diversity else 0
    wanted = max(end, MOST_DIVERSE) if query.diversity else end
    if query.group_by is None:
        hits, complete = Grouped(near(wanted, query.filter), True)
    else:
        hits, complete = nearest_of_each(near, query.group_by, wanted, query.filter)
    capped = not complete
    if query.diversity:
        capped = capped or end > MOST_DIVERSE
        hits = _spread(collection, hits, query.diversity, end)
    knows_a_cap = query.group_by is not None or query.diversity is not None
    return Page(hits[query.offset : end], capped if knows_a_cap else None)


def vectors_of(collection: Collection, hits: Sequence[Hit]) -> dict[str, Vector]:
    """By id; without those that have been deleted since they were found."""
    return {id: vector for id, (_, vector) in collection.fetch([hit.record.id for hit in hits]).items()}


def result_of(hit: Hit, rank: int, include: AbstractSet[Include], vector: Vector | None = None) -> Result:
    """Fields that were not asked for stay unset, and so stay out of the answer."""
    record, numbers = hit.record, None if vector is None else vector.tolist()
    asked: dict[str, object] = {"uri": record.uri, "metadata": dict(record.metadata), "vector": numbers}
    return Result.model_validate(
        {"id": record.id, "rank": rank, "score": round(hit.score, SCORE_DIGITS), "caption": record.caption}
        | {name: value for name, value in asked.items() if name in include}
    )


def keyword_of(hit: Hit, rank: int) -> Keyword:
    return Keyword(keyword=hit.record.caption or hit.record.id, score=round(hit.score, SCORE_DIGITS), rank=rank)


def _by_words(
    collection: Collection,
    vector: Vector,
    heard: Heard,
    k: int,
    min_score: float | None,
    where: Filter | None,
    compared: int,
) -> list[Hit]:
    """The nearest of all and those near to words, raised by them, among the others of the k nearest; best first.

    compared: how many of the nearest are to have their vectors, whatever words need.
    """
    k = max(k, MOST_RANKED)
    if collection.kind != "images":
        # Any two texts are alike for CLIP: it is pictures alone that words are compared with.
        heard = replace(heard, vectors={})
    words = heard.looked_for
    found = collection.search(vector[None, :], k, where, max(compared, MOST_RANKED if len(words) else 0))[0]
    nearest = _near_enough(found, min_score)
    looked_at = {hit.record.id: hit for hit in nearest[:MOST_RANKED]}
    if len(words) and collection.count > MOST_RANKED:
        near = [hit for hits in collection.search(words, NEAR_A_WORD, where, NEAR_A_WORD) for hit in hits]
        others = [hit for hit in near if hit.record.id not in looked_at and hit.vector is not None]
        looked_at |= {hit.record.id: hit for hit in _near_enough(_compared(others, vector), min_score)}
    rest = [hit for hit in nearest[MOST_RANKED:] if hit.record.id not in looked_at]
    best = [*heard.raised([*looked_at.values()]), *rest]
    # What was not found at all may be as near as the last one that was.
    known = [hit for hit in best if len(found) < k or hit.score >= found[-1].score]
    return sorted(known, key=lambda hit: (-hit.score, hit.record.id))


def _near_enough(hits: Sequence[Hit], min_score: float | None) -> list[Hit]:
    return [hit for hit in hits if min_score is None or hit.score >= min_score]


def _compared(hits: Sequence[Hit], vector: Vector) -> list[Hit]:
    """The same, as near as they are to a vector."""
    if not hits:
        return []
    cosines = np.clip(_vectors(hits) @ vector, -1, 1)
    return [replace(hit, score=float(cosine)) for hit, cosine in zip(hits, cosines, strict=True)]


def _spread(collection: Collection, hits: Sequence[Hit], diversity: float, end: int) -> list[Hit]:
    """The beginning in another order: each near to the query, and unlike those before it."""
    candidates = _with_vectors(collection, hits[:MOST_DIVERSE])
    if not candidates:
        return []
    scores = np.array([hit.score for hit in candidates], np.float32)
    order = diverse(scores, _vectors(candidates), diversity, end)
    return [*(candidates[place] for place in order), *hits[MOST_DIVERSE:]]


def _with_vectors(collection: Collection, hits: Sequence[Hit]) -> list[Hit]:
    """Groups have hits from farther away, which come without; those that have been deleted since are none."""
    others = collection.fetch([hit.record.id for hit in hits if hit.vector is None])
    return [hit for hit in with_vectors(hits, others) if hit.vector is not None]


def _vectors(hits: Sequence[Hit]) -> Vectors:
    """(N, dim) of hits that have them; there is one at least."""
    return np.array([hit.vector for hit in hits], np.float32)
