"""What decoding one file may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """More than any file that may be sent needs: WebP of 40 million pixels takes the most, 0.8 GiB and 3 s.

    memory: bytes beyond what the process has when nothing is decoded. cpu_s: seconds of processor. wall_s: seconds.
    """

    memory: int = 1 << 30
    cpu_s: float = 10.0
    wall_s: float = 20.0
