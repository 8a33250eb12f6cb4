"""From the start of the process until queries are answered, after the collections were made; memory at rest."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.gallery import make_collections
from bench.measure import Spread
from bench.report import Report
from bench.service import Service

AT_REST_S = 2.0
HELP = [sys.executable, "-m", "app.cli", "--help"]


def run(model: str, rounds: int, seed: int) -> Report:
    report = Report("start", {"model": model, "rounds": rounds, "seed": seed})
    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        make_collections(data, model, seed)
        starts = [started(model, data) for _ in range(rounds)]
    figures = {name: Spread.of([one[name] for one in starts]) for name in starts[0]}
    report.add("Until ready", [{"": name, "value": figure} for name, figure in figures.items()])
    helped = zip(*(help_s() for _ in range(rounds)), strict=True)
    rows = [
        {"": name, "value": Spread.of(figures)}
        for name, figures in zip(("seconds", "CPU seconds"), helped, strict=True)
    ]
    report.add("speechclip --help", rows)
    return report


def started(model: str, data: Path) -> Mapping[str, float]:
    """One start: seconds by the clock and of CPU, those of each step, and MiB of memory afterwards."""
    with Service(model, data) as service:
        cpu_s = service.cpu_s()
        steps: list[dict[str, Any]] = service.get("/readyz")["started"]
        time.sleep(AT_REST_S)
        return {
            "seconds until ready": service.ready_s,
            "CPU seconds": cpu_s,
            **{f"{one['step']}, s": one["seconds"] for one in steps if one["seconds"] >= 0.001},
            "resident MiB at rest": service.resident_mib(),
        }


def help_s() -> tuple[float, float]:
    """Seconds by the clock, and of CPU."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(HELP, check=True, capture_output=True)
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
