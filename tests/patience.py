"""How long a test waits for what has to come: no machine is so slow, so that only a fault is given up."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_S = 300.0
WAIT_MS = 1000 * WAIT_S


def wait_until(is_so: Callable[[], object], told: Callable[[], object] = str) -> None:
    """Raises what `told` says where it never comes."""
    until = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < until, told()
        time.sleep(0.005)
