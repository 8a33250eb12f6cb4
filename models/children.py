"""Processes that run modules of this program."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def command(program: Sequence[str], *arguments: str) -> list[str]:
    """Of a process that runs `program`, such as ``("-m", "some.module")``; with `search_path` as its PYTHONPATH."""
    return [sys.executable, "-P", *program, *arguments]


def search_path() -> str:
    """Where modules are looked for: where this one's are first, wherever the process is started."""
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
