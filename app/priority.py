"""Whatever computes lets the thread that talks with clients go first."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

POOL_STEPS = 4
"""Of threads that decode and search: enough for the event loop to be woken at once where every core is busy."""
ENCODER_STEPS = 8
"""Of the encoder's process: below those threads, which hold Python's lock of the event loop's process at times."""


def step_back(steps: int = POOL_STEPS) -> None:
    """Give the calling thread a lower priority, and those that it starts, where threads have one: on Linux."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it, and everything works without
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + steps)
