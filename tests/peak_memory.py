"""How much memory something takes at most, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = r"""
import re, resource, sys
from pathlib import Path
{imports}

def peak():
    # Linux' resource usage goes on from what the parent had used when it made this process.
    if (status := Path("/proc/self/status")).exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

before = peak()
{work}
print(before, peak())
"""


@dataclass(frozen=True)
class Peak:
    """Bytes at most: before the work, and with it."""

    before: int
    all: int


def peak_of(imports: str, work: str) -> Peak:
    """Of the statements `work`, after the statements `imports`."""
    program = PROGRAM.format(imports=imports, work=work)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Peak(*map(int, done.stdout.split()))
