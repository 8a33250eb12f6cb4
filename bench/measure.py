"""A candidate and its rivals on the same input, in turns within one run: medians, spread, ratios, memory.

CPU time is that of all threads of this process, unless a contender brings another clock (that of a server it asks,
say): on a machine that others use too, it says more than the time on the wall.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Contender:
    """What is measured. cpu: seconds of CPU time that were used so far by whoever does the work."""

    name: str
    run: Callable[[], object]
    cpu: Callable[[], float] = time.process_time


@dataclass(frozen=True)
class Spread:
    """Of some figures: the middle one and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        low, median, high = np.percentile(figures, [25, 50, 75]).tolist()
        return cls(median, low, high)

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class Series:
    """What one contender took, round by round. peak_mib: the most memory that a call added, None where not known."""

    name: str
    wall_s: Sequence[float]
    cpu_s: Sequence[float]
    peak_mib: float | None

    def row(self) -> dict[str, Any]:
        """For a table: milliseconds of a call."""
        wall, cpu = (Spread.of([1000 * second for second in seconds]) for seconds in (self.wall_s, self.cpu_s))
        return {"": self.name, "CPU ms": cpu, "wall ms": wall, "peak MiB": self.peak_mib}


@dataclass(frozen=True)
class Comparison:
    """ratio: how many times the candidate's CPU time a rival takes, round by round; above 1 the candidate is better."""

    candidate: Series
    rivals: Sequence[Series]

    def ratio(self, rival: int = 0) -> Spread:
        pairs = zip(self.rivals[rival].cpu_s, self.candidate.cpu_s, strict=True)
        return Spread.of([theirs / max(ours, 1e-9) for theirs, ours in pairs])

    def rows(self) -> list[dict[str, Any]]:
        """For a table: the candidate, then each rival with its ratio."""
        beside = [{**rival.row(), "ratio": self.ratio(number)} for number, rival in enumerate(self.rivals)]
        return [{**self.candidate.row(), "ratio": 1.0}, *beside]


def compare(candidate: Contender, rivals: Sequence[Contender], rounds: int, warm_ups: int = 1) -> Comparison:
    """Each of them once in every round, forwards and backwards by turns, after `warm_ups` calls that do not count."""
    contenders = [candidate, *rivals]
    for contender in contenders * warm_ups:
        contender.run()
    taken: dict[str, list[tuple[float, float, float | None]]] = {one.name: [] for one in contenders}
    if len(taken) < len(contenders):
        raise ValueError("contenders must have names of their own")
    for number in range(rounds):
        for contender in contenders if number % 2 == 0 else reversed(contenders):
            taken[contender.name].append(_once(contender))
    series = [_series(name, figures) for name, figures in taken.items()]
    return Comparison(series[0], series[1:])


def _once(contender: Contender) -> tuple[float, float, float | None]:
    before = _start_of_peak()
    cpu, wall = contender.cpu(), time.perf_counter()
    contender.run()
    wall, cpu = time.perf_counter() - wall, contender.cpu() - cpu
    peak = None if before is None else max(0.0, _status("VmHWM") - before)
    return wall, cpu, peak


def _series(name: str, figures: Sequence[tuple[float, float, float | None]]) -> Series:
    wall, cpu, peaks = zip(*figures, strict=True)
    known = [peak for peak in peaks if peak is not None]
    return Series(name, wall, cpu, round(max(known), 1) if known else None)


def _start_of_peak() -> float | None:
    """Have the kernel forget how much memory this process ever had -> how much it has; None where that is no Linux."""
    try:
        _CLEAR.write_text("5")
        return _status("VmRSS")
    except OSError:
        return None


def _status(name: str) -> float:
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))
