"""Threads that compute let the thread that talks with clients go first."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

NICE = 4
"""Steps below the rest of the process: enough for the event loop to be woken at once where every core is busy."""


def step_back() -> None:
    """Give the calling thread a lower priority, where threads have one of their own: on Linux."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it, and everything works without
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICE)
