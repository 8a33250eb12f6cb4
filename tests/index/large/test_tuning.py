"""What a recall says, and that it is reached or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.errors import RecallMissed
from index.large import building, tuning
from index.large.base import Base
from index.large.building import index_of
from index.large.matrix import Matrix
from index.large.recipes import RECIPES, RecipeName
from index.large.tuning import Recall
from index.manifest import Setting
from tests.index.built_base import clustered, matrix_of

COUNT = 800


@pytest.fixture
def full(tmp_path: Path) -> Matrix:
    return matrix_of(tmp_path, np.arange(COUNT, dtype=np.int64), clustered(COUNT))


def test_questions_are_vectors_that_look_for_the_others(full: Matrix) -> None:
    asked = tuning.questions(full)
    assert (asked.places == tuning.questions(full).places).all()
    assert len({*asked.places}) == len(asked.places) == tuning.QUERIES
    scores = full.vectors[asked.places].astype(np.float64) @ full.vectors.T
    scores[np.arange(len(asked.places)), asked.places] = -np.inf
    np.testing.assert_allclose(asked.best, -np.sort(-scores)[:, : tuning.K], atol=1e-6)


def test_nothing_is_learned_from_what_it_is_measured_with() -> None:
    full = Matrix.__new__(Matrix)
    full.vectors = np.arange(6000, dtype=np.float32)[:, np.newaxis]
    full.ids = np.arange(6000, dtype=np.int64)
    sample = building._sample(RECIPES["IVF-SQ8"], full)[:, 0].astype(np.int64)
    assert len(sample) == 6000 - tuning.QUERIES
    assert not np.isin(tuning.question_places(6000), sample).any()


def test_exact_search_has_a_recall_of_one(full: Matrix) -> None:
    assert tuning.recall_of(Base(full, None), tuning.questions(full)) == (1.0, 1.0)


def test_among_duplicates_any_answer_is_right(tmp_path: Path) -> None:
    full = matrix_of(tmp_path, np.arange(60, dtype=np.int64), np.repeat(clustered(2), 30, axis=0))
    index = index_of(RECIPES["HNSW"], full, 1, lambda *_: None)
    assert tuning.measure(index, Setting(ef=64), full, tuning.questions(full)).recall == 1.0


@pytest.mark.parametrize("count", [1, 2, 5, 10, 11])
def test_a_few_vectors_have_fewer_answers(tmp_path: Path, count: int) -> None:
    full = matrix_of(tmp_path, np.arange(count, dtype=np.int64), clustered(count))
    asked = tuning.questions(full)
    assert asked.best.shape == (count, min(tuning.K, count - 1))
    assert tuning.recall_of(Base(full, None), asked) == (1.0, 1.0)


@pytest.mark.parametrize("name", ["HNSW-SQ8", "IVF-SQ8", "SQ8"])
def test_a_setting_is_found_that_reaches_the_recall(full: Matrix, name: RecipeName) -> None:
    index, asked = index_of(RECIPES[name], full, 1, lambda *_: None), tuning.questions(full)
    tried = list[tuning.Measured]()
    best = tuning.tune(index, RECIPES[name], full, asked, 0.97, tried.append)
    assert best.recall >= best.sure >= 0.97
    assert best in tried
    assert best.ms == min(one.ms for one in tried if one.sure >= 0.97)
    assert tuning.measure(index, best.setting, full, asked).recall == best.recall


def test_a_recall_that_is_reached_but_not_surely_is_taken_from_the_best(
    full: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    recalls = iter([Recall(0.93, 0.9), Recall(0.96, 0.94)])
    monkeypatch.setattr(tuning, "recall_of", lambda *_: next(recalls))
    index = index_of(RECIPES["SQ8"], full, 1, lambda *_: None)
    best = tuning.tune(index, RECIPES["SQ8"], full, tuning.questions(full), 0.95, lambda _: None)
    assert best.recall == 0.96


def test_few_queries_are_less_sure_than_many(full: Matrix) -> None:
    index = index_of(RECIPES["HNSW"], full, 1, lambda *_: None)
    few, many = (tuning.measure(index, Setting(ef=4), full, tuning.questions(full, most=most)) for most in (20, 400))
    assert few.recall - few.sure > many.recall - many.sure > 0


def test_a_recall_that_cannot_be_reached_is_refused_with_what_can_be(
    full: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tuning.DEPTHS, "product", (1,))
    index = index_of(RECIPES["IVF-PQ"], full, 1, lambda *_: None)
    with pytest.raises(RecallMissed, match=r"IVF-PQ reaches a recall@10 of 0\.\d{3}, not 1\.0, over 800 vectors"):
        tuning.tune(index, RECIPES["IVF-PQ"], full, tuning.questions(full), 1.0, lambda _: None)
