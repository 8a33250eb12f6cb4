"""Contenders in turns."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.measure import Comparison, Contender, Series, Spread, compare

ROOT = Path(__file__).parents[2]


def clock(step: float) -> Callable[[], float]:
    """CPU time that goes on by `step` with every look at it."""
    seconds = itertools.count(0.0, step)
    return lambda: next(seconds)


def test_contenders_take_turns_forwards_and_backwards() -> None:
    calls: list[str] = []
    one, other = (Contender(name, lambda name=name: calls.append(name)) for name in ("candidate", "rival"))  # type: ignore[misc]

    compare(one, [other], rounds=2)

    assert calls == ["candidate", "rival", "candidate", "rival", "rival", "candidate"]


def test_a_ratio_above_one_says_that_the_candidate_is_better() -> None:
    found = compare(
        Contender("candidate", lambda: None, cpu=clock(1.0)), [Contender("rival", lambda: None, cpu=clock(3.0))], 4
    )

    assert found.candidate.cpu_s == (1.0,) * 4
    assert found.ratio() == Spread(3.0, 3.0, 3.0)
    assert [row["ratio"] for row in found.rows()] == [1.0, Spread(3.0, 3.0, 3.0)]


def test_rounds_are_compared_each_by_itself() -> None:
    found = Comparison(
        Series("candidate", (1, 1, 1), (1.0, 10.0, 100.0), None), [Series("rival", (1, 1, 1), (2.0, 20.0, 200.0), None)]
    )

    assert found.ratio() == Spread(2.0, 2.0, 2.0)


def test_the_most_memory_that_a_call_had_is_found_though_it_gave_it_back() -> None:
    code = (
        "from bench.measure import Contender, compare;"
        "large, small = Contender('large', lambda: bytearray(b'x') * 64_000_000), Contender('small', lambda: None);"
        "found = compare(large, [small], 2); print(found.candidate.peak_mib, found.rivals[0].peak_mib)"
    )
    # In a process of its own: in one that has run other tests, memory that they gave back may be used again.
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    if "None" not in told:  # the kernel tells it
        large, small = map(float, told.split())
        assert large > 50
        assert small < 20


def test_contenders_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="names of their own"):
        compare(Contender("a", lambda: None), [Contender("a", lambda: None)], 1)
