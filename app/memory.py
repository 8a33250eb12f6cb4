"""How much memory there is where the model is: on its GPU, or else on this machine."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

GROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/statm")
MACHINE = Path("/proc/meminfo")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Memory(NamedTuple):
    """Bytes: taken, and all there are. Of a GPU, taken by whomever; else by this process."""

    used: int
    total: int


def memory_in_use() -> tuple[str, Memory]:
    """The device's name, and its memory. Imports nothing: a device is only there once the model has brought torch."""
    torch = sys.modules.get("torch")
    # A device that was not used yet is not woken for this.
    if torch is not None and torch.cuda.is_initialized():
        free, total = torch.cuda.mem_get_info()
        return "cuda", Memory(total - free, total)
    return "cpu", Memory(_resident(), allowed_memory())


def allowed_memory() -> int:
    """Bytes that this process and its neighbours in the container may use: the container's bound, or the machine's."""
    installed = os.sysconf("SC_PHYS_PAGES") * PAGE
    with suppress(OSError, ValueError):
        # "max" where there is no bound, and that is no number.
        return min(installed, int((GROUPS / "memory.max").read_text()))
    return installed


def available_memory() -> int:
    """Bytes that could be had now, without swapping."""
    return min(_machine_free(), allowed_memory())


def _resident() -> int:
    with suppress(OSError):
        return int(OWN.read_text().split()[1]) * PAGE
    return 0


def _machine_free() -> int:
    with suppress(OSError):
        for line in MACHINE.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_AVPHYS_PAGES") * PAGE
