"""Several queries that make one together: "like this recording, with that picture, but not red"."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from app.errors import InvalidParameter
from app.query.embedding import Embedded, Vector, find_vector
from app.query.requests import NearestQuery, WeightedQuery
from app.schemas import QueryInfo, WeightedInfo
from app.state import Loaded, State
from app.stopwatch import Stopwatch

LEAST_LENGTH = 1e-4
"""Of the sum, where the weights' sizes add up to 1; what is left below it is rounding."""


async def find_combined(
    state: State, loaded: Loaded, query: NearestQuery, target: str, watch: Stopwatch, *, keywords: bool = False
) -> Embedded:
    """The vector to search collection `target` with; that of several queries has no keyword slots.

    Raises `InvalidParameter` for queries that cancel each other out.
    """
    if query.queries is None:
        return await find_vector(state, loaded, query, target, watch, keywords=keywords)
    tasks = [asyncio.create_task(find_vector(state, loaded, one, target, watch)) for one in query.queries]
    try:
        found = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    weights = [one.weight for one in query.queries]
    return Embedded(combined([one.vector for one in found], weights), _info(query.queries, found))


def combined(vectors: Sequence[Vector], weights: Sequence[float]) -> Vector:
    """The direction (dim,) of a weighted sum of unit vectors. Raises `InvalidParameter` where there is none."""
    shares = np.asarray(weights, np.float64) / np.abs(weights).sum()
    total = shares @ np.stack(vectors).astype(np.float64)
    length = np.linalg.norm(total)
    if length < LEAST_LENGTH:
        raise InvalidParameter("queries: cancel each other out, and their sum points nowhere")
    unit: Vector = (total / length).astype(np.float32)
    return unit


def _info(queries: Sequence[WeightedQuery], found: Sequence[Embedded]) -> QueryInfo:
    parts = [
        WeightedInfo(**one.info.model_dump(exclude_unset=True), weight=query.weight)
        for query, one in zip(queries, found, strict=True)
    ]
    truncated = any(part.truncated for part in parts)
    return QueryInfo(kind="queries", format=None, seconds=None, truncated=truncated, queries=parts)
