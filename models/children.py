"""Processes that run modules of this program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

KILLED = "the system ended it, for want of memory perhaps"
"""What SIGKILL means where nobody here has sent it."""
ROOT = Path(__file__).resolve().parents[1]


def command(program: Sequence[str], *arguments: str) -> list[str]:
    """Of a process that runs `program`, such as ``("-m", "some.module")``; with `search_path` as its PYTHONPATH."""
    return [sys.executable, "-P", *program, *arguments]


def end(process: subprocess.Popen[bytes], within_s: float) -> None:
    """Wait for one that was told to end; by force if it does not by itself."""
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def search_path() -> str:
    """Where modules are looked for: where this one's are first, wherever the process is started."""
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
