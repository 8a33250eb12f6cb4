"""What is kept of the answers to filters, and how it is brought up to date."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from index.filters import Field, In
from index.filters.language import parse
from index.filters.matching import CHANGED_ROWS, KEPT_ANSWERS, KEPT_ROWS, Matched

CHEAP, RED = parse({"metadata.price": {"lt": 5}}), parse({"metadata.colour": {"eq": "red"}})


def rows(*some: int) -> NDArray[np.int64]:
    return np.array(some, np.int64)


def test_an_answer_comes_with_what_changed_after_it() -> None:
    matched = Matched()
    matched.change(1, rows(1, 2, 3))
    matched.keep(CHEAP, 1, rows(2))
    matched.change(2, rows(7, 3))
    matched.change(3, rows(3, 4))

    kept = matched.get(CHEAP)

    assert kept is not None
    assert (kept.version, kept.rows.tolist(), kept.changed.tolist()) == (1, [2], [3, 4, 7])
    assert matched.get(RED) is None


def test_an_answer_is_not_kept_for_another_filter_that_is_equal() -> None:
    matched = Matched()
    one, true = (In(Field("metadata", ("n",)), (value,)) for value in (1, True))
    matched.keep(one, 1, rows(5))

    assert one == true
    assert matched.get(true) is None
    assert matched.get(one) is not None


def test_after_too_many_changes_an_answer_is_of_no_use() -> None:
    matched = Matched()
    matched.keep(CHEAP, 0, rows(2))
    matched.change(1, np.arange(CHANGED_ROWS, dtype=np.int64))
    assert matched.get(CHEAP) is not None
    matched.keep(RED, 1, rows(2))

    matched.change(2, rows(1))

    assert matched.get(CHEAP) is None
    kept = matched.get(RED)
    assert kept is not None
    assert kept.changed.tolist() == [1]


def test_what_changes_nothing_is_not_remembered() -> None:
    matched = Matched()
    for version in range(10):
        matched.change(version, rows())

    assert len(matched._changes) == 0


def test_one_batch_may_be_too_many_changes() -> None:
    matched = Matched()
    matched.keep(CHEAP, 4, rows(2))
    matched.change(5, np.arange(CHANGED_ROWS + 1, dtype=np.int64))

    assert matched.get(CHEAP) is None
    matched.keep(CHEAP, 5, rows(3))
    assert matched.get(CHEAP) is not None


def test_only_the_last_answers_are_kept() -> None:
    matched, asked = Matched(), [parse({"metadata.n": {"eq": n}}) for n in range(KEPT_ANSWERS + 5)]
    for filter in asked:
        matched.keep(filter, 1, rows())
    assert [matched.get(filter) is None for filter in asked] == [True] * 5 + [False] * KEPT_ANSWERS


def test_all_answers_together_have_a_largest_size() -> None:
    matched, asked = Matched(), [parse({"metadata.n": {"eq": n}}) for n in range(4)]
    for filter in asked:
        matched.keep(filter, 1, np.arange(KEPT_ROWS // 3, dtype=np.int64))
    assert [matched.get(filter) is None for filter in asked] == [True, False, False, False]
