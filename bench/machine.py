"""What figures were measured on: hardware, and the versions of what does the work."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_SPEAKING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
_PACKAGES = ("speechclip-search", "torch", "transformers", "open_clip_torch", "faiss-cpu", "faiss-gpu", "av", "numpy")


def machine() -> dict[str, str]:
    """Facts by name, for people."""
    facts = {
        "processor": f"{_cpu_line('model name') or platform.processor()}, {os.cpu_count()} cores",
        "instructions": " ".join(flag for flag in _SPEAKING_FLAGS if flag in (_cpu_line("flags") or "").split()),
        "memory": f"{_memory_gib()} GiB",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "system": platform.platform(),
        "Python": platform.python_version(),
    }
    return facts | {name: found for name in _PACKAGES if (found := _version(name))}


def _cpu_line(name: str) -> str | None:
    """The first value of this name in the kernel's list of processors, where there is one."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == name), None)


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
