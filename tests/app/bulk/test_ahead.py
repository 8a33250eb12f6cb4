"""Work that goes on ahead of its results."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from app.bulk.ahead import ahead
from tests.patience import WAIT_S


def test_results_come_in_the_order_of_the_things() -> None:
    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return -number

    with ahead(range(50), work, threads=4, most=8) as results:
        assert list(results) == [-number for number in range(50)]


def test_it_is_never_further_ahead_than_it_may() -> None:
    taken = 0

    def things() -> Iterator[int]:
        nonlocal taken
        while taken < 1000:
            taken += 1
            yield taken

    with ahead(things(), lambda one: one, threads=2, most=5) as results:
        for used, _ in zip(range(1, 20), results, strict=False):
            time.sleep(0.005)
            assert taken <= used + 5 + 2


def test_several_work_at_one_time() -> None:
    meeting = threading.Barrier(3, timeout=WAIT_S)

    with ahead(range(3), lambda one: meeting.wait(), threads=3, most=3) as results:
        assert sorted(results) == [0, 1, 2]


@pytest.mark.parametrize("threads", [1, 3])
def test_what_goes_wrong_is_raised_where_the_results_are_used(threads: int) -> None:
    def things() -> Iterator[int]:
        yield 1
        raise RuntimeError("broken source")

    with ahead(things(), lambda one: one, threads, most=4) as results:
        assert next(results) == 1
        with pytest.raises(RuntimeError, match="broken source"):
            next(results)
    with ahead([0], lambda one: 1 // one, threads, most=4) as results, pytest.raises(ZeroDivisionError):
        next(results)


def test_all_threads_end_with_the_context_even_when_results_are_left() -> None:
    before = threading.active_count()

    def endless() -> Iterator[int]:
        while True:
            yield 1

    with ahead(endless(), lambda one: one, threads=3, most=4) as results:
        next(results)
    assert threading.active_count() == before
