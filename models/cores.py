"""How many cores there are for this process. Imports nothing heavy."""

from __future__ import annotations

import math
import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of processor time, and in how many: what `docker run --cpus` and Kubernetes' `limits.cpu` set."""


def cores() -> int:
    """Those that this process may use; in a container with a limit of time, no more than that is worth."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, QUOTA.read_text().split())
    except (OSError, ValueError):  # there is none, or it is "max"
        return there
    return max(1, min(there, math.ceil(quota / period)))
