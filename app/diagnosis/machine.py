"""The machine: its device, memory, disk and clock."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from app.diagnosis.findings import Finding, failed, ok, warned
from app.memory import available_memory
from app.settings import Settings
from index.inspection import existing, is_writable

DRIVER = Path("/proc/driver/nvidia/version")
GIB = 1024**3
LOW_DISK, NO_DISK = 2 * GIB, GIB // 5
LOW_MEMORY = GIB
SLACK_S = 120.0


def check_device() -> Iterator[Finding]:
    """The build of torch is the one for this machine; it is imported only to ask a GPU."""
    build = version("torch")
    cpu_only = build.endswith("+cpu")
    if not DRIVER.exists():
        yield ok("device", f"no GPU, so the processor; torch {build}")
    elif cpu_only:
        yield warned(
            "device",
            f"there is a GPU, but torch {build} is a build without one",
            "remove .venv and set it up anew: ./run",
        )
    else:
        yield from _check_gpu(build)


def _check_gpu(build: str) -> Iterator[Finding]:
    import torch

    if not torch.cuda.is_available():
        yield failed(
            "device",
            f"there is a GPU, but torch {build} cannot use it",
            f"the driver has to be as new as CUDA {torch.version.cuda}; in a container, give it the GPU",
        )
        return
    free, total = torch.cuda.mem_get_info()
    name = torch.cuda.get_device_name()
    yield ok("device", f"{name}, {free / GIB:.1f} of {total / GIB:.1f} GiB free; torch {build}")


def check_memory(settings: Settings) -> Iterator[Finding]:
    """There is room for the bodies that the settings let in, and then some."""
    free, bodies = available_memory(), settings.max_buffered_bytes
    found = f"{free / GIB:.1f} GiB to be had"
    if free < bodies + LOW_MEMORY:
        yield warned(
            "memory", f"only {found}", "give it more, or lower SPEECHCLIP_MAX_BUFFERED_BYTES and SPEECHCLIP_BATCH_SIZE"
        )
    else:
        yield ok("memory", found)


def check_data(settings: Settings) -> Iterator[Finding]:
    """The data folder can be written to, and there is room on its disk."""
    data = settings.data
    if data.exists() and not data.is_dir():
        yield failed("data", f"{data} is no folder", "name a folder by SPEECHCLIP_DATA")
        return
    if not is_writable(data):
        yield failed(
            "data", f"{data} cannot be written to", "give it to the user of the service, or set SPEECHCLIP_DATA"
        )
    else:
        yield ok("data", f"{data}" if data.exists() else f"{data} will be made")
    free = shutil.disk_usage(existing(data)).free
    found = f"{free / GIB:.1f} GiB free"
    if free < NO_DISK:
        yield failed("disk", f"only {found}", "make room: nothing can be stored")
    elif free < LOW_DISK:
        yield warned("disk", f"only {found}", "make room: building an index needs as much again as the collection has")
    else:
        yield ok("disk", found)


def check_clock() -> Iterator[Finding]:
    """The time is later than that of the program, which was made before."""
    now = time.time()
    behind = Path(__file__).stat().st_mtime - now
    told = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if behind > SLACK_S:
        yield warned("clock", f"{told} is before the program was installed", "set the clock: logs and traces go by it")
    else:
        yield ok("clock", told)
