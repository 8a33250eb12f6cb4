"""How much memory there is where the model is: on its GPU, or else on this machine."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from models.protocol import Encoder, Memory

GROUPS = Path("/sys/fs/cgroup")
PROCESSES = Path("/proc")
MACHINE = Path("/proc/meminfo")
PAGE = os.sysconf("SC_PAGE_SIZE")


def memory_in_use(encoder: Encoder | None) -> tuple[str, Memory]:
    """The name of the encoder's device, and its memory.

    Of a GPU, what anybody has taken; of the machine, what this process and those that it started have, each with the
    libraries that they share.
    """
    on_device = None if encoder is None else encoder.device_memory()
    if on_device is not None:
        return "cuda", on_device
    return "cpu", Memory(sum(map(resident, family())), allowed_memory())


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


def resident(process: str) -> int:
    """Bytes of a process, with those that it shares."""
    with suppress(OSError):
        return int((PROCESSES / process / "statm").read_text().split()[1]) * PAGE
    return 0


def family(process: str = "self") -> list[str]:
    """A process, and the numbers of those that any thread of it has started."""
    found = [process]
    with suppress(OSError):
        for thread in (PROCESSES / process / "task").iterdir():
            with suppress(OSError):  # it has ended meanwhile
                found += (thread / "children").read_text().split()
    return found


def _machine_free() -> int:
    with suppress(OSError):
        for line in MACHINE.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_AVPHYS_PAGES") * PAGE
