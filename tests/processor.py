"""What something costs, in time of this process: what else the machine does is not counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

ROUNDS = 5
"""Others use the caches, too: the best of these is the cost."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` gives; it may take so many seconds of processor time."""
    for _ in range(ROUNDS):
        started = time.process_time()
        result = work()
        if time.process_time() - started < seconds:
            return result
    raise AssertionError(f"it takes more than {seconds:g} s of processor time")
