"""How near an index comes to exact search, and how far it must look to come near enough."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from index.errors import RecallMissed
from index.large.approximate import Approximate
from index.large.base import Base, Finder
from index.large.matrix import Matrix
from index.large.recipes import Recipe, lists_for
from index.manifest import Setting
from index.vectors import Ids, Scores

K = 10
QUERIES = 400
SEED = 7
ONE_SIDED = 1.645
"""Standard errors that a mean is above what it is in nineteen of twenty cases."""
TOLERANCE = 1e-6
"""Scores nearer than that are a tie: either of two such vectors is a right answer."""

LISTS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
FOLLOWED = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
DEPTHS = {"full": (1,), "half": (2,), "byte": (2, 4), "product": (8, 32, 128)}
"""By codes: the coarser they are, the more of what they find is to be compared anew."""


@dataclass(frozen=True)
class Questions:
    """Vectors of the collection as queries, each looking for the others, and the scores of the right answers."""

    places: Ids
    best: Scores
    """The K best scores for each, the query itself aside."""
    exact_ms: float
    """CPU milliseconds of one exact search."""


class Recall(NamedTuple):
    """The share of the right answers that were found."""

    mean: float
    sure: float
    """What it is at least, in nineteen of twenty cases, with other queries of the same kind."""


@dataclass(frozen=True)
class Measured:
    """One setting of an index, tried."""

    setting: Setting
    recall: float
    sure: float
    ms: float
    """CPU milliseconds per query."""


def questions(matrix: Matrix, seed: int = SEED, most: int = QUERIES) -> Questions:
    """Ask exact search."""
    places = question_places(matrix.count, seed, most)
    started = time.thread_time()
    best = [_others(matrix, place, *matrix.search(matrix.vectors[place], K + 1)) for place in places]
    return Questions(places, np.array(best, np.float32), _ms(started, len(places)))


def question_places(count: int, seed: int = SEED, most: int = QUERIES) -> Ids:
    """Which vectors are asked for, ascending."""
    places: Ids = np.sort(np.random.default_rng(seed).permutation(count)[:most])
    return places


def measure(index: Any, setting: Setting, matrix: Matrix, asked: Questions) -> Measured:
    """The share of the right answers that an index finds."""
    base = Base(matrix, Finder(Approximate(index, setting), setting.depth, 0.0))
    started = time.thread_time()
    recall = recall_of(base, asked)
    return Measured(setting, *recall, _ms(started, len(asked.places)))


def recall_of(base: Base, asked: Questions) -> Recall:
    """The share of the right answers that it finds."""
    found = [base.search(base.matrix.vectors[place], K + 1) for place in asked.places]
    scores = np.array([_others(base.matrix, place, *one) for place, one in zip(asked.places, found, strict=True)])
    if not scores.size:
        return Recall(1.0, 1.0)
    shares = (scores >= asked.best[:, -1:] - TOLERANCE).mean(axis=1)
    mean = float(shares.mean())
    return Recall(mean, mean - ONE_SIDED * float(shares.std()) / math.sqrt(len(shares)))


def tune(
    index: Any, recipe: Recipe, matrix: Matrix, asked: Questions, recall: float, tell: Callable[[Measured], object]
) -> Measured:
    """The quickest setting that surely reaches a recall, else the best if it does. Raises `RecallMissed` otherwise."""
    tried = list[Measured]()
    for settings in _ladders(recipe, matrix.count):
        for setting in settings:
            tried.append(measure(index, setting, matrix, asked))
            tell(tried[-1])
            if tried[-1].sure >= recall:
                break
    if surely := [one for one in tried if one.sure >= recall]:
        return min(surely, key=lambda one: one.ms)
    best = max(tried, key=lambda one: one.recall)
    if best.recall < recall:
        raise RecallMissed(
            f"{recipe.name} reaches a recall@{K} of {best.recall:.3f}, not {recall}, over {matrix.count} vectors: "
            "ask for less, or for a recipe that keeps more of each vector"
        )
    return best


def _ladders(recipe: Recipe, count: int) -> Iterator[Iterable[Setting]]:
    """Settings from quick to thorough, for each depth."""
    for depth in DEPTHS[recipe.codes]:
        if recipe.graph:
            yield [Setting(ef=ef, depth=depth) for ef in FOLLOWED]
        elif recipe.lists:
            every = lists_for(count)
            yield [Setting(nprobe=nprobe, depth=depth) for nprobe in (*(n for n in LISTS if n < every), every)]
        else:
            yield [Setting(depth=depth)]


def _others(matrix: Matrix, place: int, scores: Scores, places: Ids) -> Scores:
    """The K best scores without that of the query itself."""
    others: Scores = scores[places != place][: min(K, matrix.count - 1)]
    return others


def _ms(started: float, queries: int) -> float:
    return (time.thread_time() - started) * 1000 / queries
