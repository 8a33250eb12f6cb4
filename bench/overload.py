"""Many times the queries that can be answered: what is answered all the same, how fast the rest is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.gallery import make_collections
from bench.http import PATH, SOUNDS, by_status, rate
from bench.load import Answer, closed_loop, open_loop
from bench.report import Report
from bench.service import Service
from bench.sounds import Sound, mixed

PEAK_CLIENTS = 16
PEAK_S = 10.0
AFTER_S = 2.0
SAMPLE_S = 0.5
REFUSED = 429


def run(model: str, seed: int, times: float, for_s: float) -> Report:
    report = Report("overload", {"model": model, "seed": seed, "times the peak": times, "seconds": for_s})
    sounds = mixed(SOUNDS, seed)
    with TemporaryDirectory() as folder:
        make_collections(data := Path(folder) / "data", model, seed)
        with Service(model, data) as service:
            report.add("Before, meanwhile, after", measured(service, sounds, times, for_s))
    return report


def measured(service: Service, sounds: Sequence[Sound], times: float, for_s: float) -> list[dict[str, Any]]:
    """Peak before, overload, a lull, and what is normal after it."""
    asyncio.run(closed_loop(service.port, PATH, sounds, PEAK_CLIENTS, PEAK_S / 2))
    before, peak_cpu = _with_cpu(service, lambda: closed_loop(service.port, PATH, sounds, PEAK_CLIENTS, PEAK_S))
    alone = asyncio.run(closed_loop(service.port, PATH, sounds, 1, PEAK_S / 2))
    peak, memory = rate(before), [service.resident_mib()]
    with_samples = _Sampling(service, memory)
    answers, cpu = _with_cpu(service, lambda: open_loop(service.port, PATH, sounds, times * peak, for_s))
    with_samples.stop()
    after = asyncio.run(_after(service, sounds))
    return [
        _row("peak, 16 clients", before) | {"CPU s": peak_cpu},
        _row("alone, before", alone),
        _row(f"overload, {times:g} times the peak", answers)
        | {
            "goodput / peak": rate(answers) / peak,
            # The clients ask from the same cores, ten times as often: what they take, the service has not.
            "the same for each CPU s": _good(answers) / cpu / (_good(before) / peak_cpu),
            "CPU s": cpu,
            "memory MiB": f"{memory[0]:.0f} to {max(memory):.0f}",
        },
        _row(f"alone, from {AFTER_S:g} s after", after),
    ]


def _with_cpu(service: Service, ask: Callable[[], Coroutine[Any, Any, list[Answer]]]) -> tuple[list[Answer], float]:
    """The answers, and the CPU seconds that the service took for them."""
    before = service.cpu_s()
    answers = asyncio.run(ask())
    return answers, service.cpu_s() - before


def _good(answers: Sequence[Answer]) -> int:
    return sum(answer.status == 200 for answer in answers)


async def _after(service: Service, sounds: Sequence[Sound]) -> list[Answer]:
    await asyncio.sleep(AFTER_S)
    return await closed_loop(service.port, PATH, sounds, 1, PEAK_S / 2)


class _Sampling:
    """The memory of a service, now and then."""

    def __init__(self, service: Service, into: list[float]) -> None:
        self._service, self._into, self._ended = service, into, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self._into.append(self._service.resident_mib())


def _row(name: str, answers: Sequence[Answer]) -> dict[str, Any]:
    good = [1000 * one.took_s for one in answers if one.status == 200]
    refused = [1000 * one.took_s for one in answers if one.status == REFUSED]
    row = {
        "": name,
        "asked": len(answers),
        "answered/s": rate(answers),
        "p50 ms": float(np.median(good)),
        "p99 ms": float(np.percentile(good, 99)),
    }
    if refused:
        row |= {"refused": len(refused), "refusal p50 ms": float(np.median(refused))}
        row |= {"refusal p99 ms": float(np.percentile(refused, 99))}
    return row | {"failed": by_status(answers, 200, REFUSED)}
