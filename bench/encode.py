"""Speech to vectors: the encoder beside what the published example does, and how much of the machine it uses.

speechclip bench encode --model base-parallel --seconds 3
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from bench import full_size
from bench.measure import Contender, compare
from bench.reference import Reference
from bench.report import Report
from models.audio import SAMPLE_RATE
from models.config import Precision
from models.encoder import SpeechClipEncoder
from models.listeners import pad
from models.packed.linear import PackedLinear
from models.packed.support import has_bfloat16
from models.precision import KINDS
from models.speechclip import SpeechClip

_SIDE = 2048  # of the matrices whose product is the machine's best


@dataclass(frozen=True)
class Wish:
    """What is measured: every combination. threads: that PyTorch may use."""

    models: Sequence[str]
    seconds: Sequence[float]
    batches: Sequence[int]
    rounds: int
    seed: int
    threads: int


def encode(wish: Wish) -> Report:
    """One table for each model."""
    torch.set_num_threads(wish.threads)
    precisions: list[Precision] = ["fp32", "bf16"] if has_bfloat16() else ["fp32"]
    rates = {precision: matmul_rate(KINDS[precision]) for precision in precisions}
    report = Report("Encoding speech", vars(wish) | {f"{name} GFLOP/s": round(rate) for name, rate in rates.items()})
    for name in wish.models:
        folder = full_size.model(name, wish.seed)
        encoders = {precision: full_size.encoder(folder, precision) for precision in precisions}
        reference = folder.load()
        rows = []
        for seconds in wish.seconds:
            for batch in wish.batches:
                rows += _measured(encoders, reference, noise(seconds, batch, wish.seed), rates, wish.rounds)
        report.add(name, rows)
    return report


def _measured(
    encoders: dict[Precision, SpeechClipEncoder],
    network: SpeechClip,
    waves: Sequence[NDArray[np.float32]],
    rates: dict[Precision, float],
    rounds: int,
) -> list[dict[str, Any]]:
    reference = Reference(network)
    ours = [Contender(name, lambda one=one: one.embed_speech(waves)) for name, one in encoders.items()]  # type: ignore[misc]
    theirs = Contender("reference", lambda: reference.embed_speech(waves))
    comparison = compare(theirs, ours, rounds)
    work = flops(network, waves)
    expected = reference.embed_speech(waves).astype(np.float64)
    what = {"audio": f"{len(waves[0]) / SAMPLE_RATE:g} s x {len(waves)}"}
    rows = [what | comparison.candidate.row() | {"speed-up": 1.0}]
    for number, (name, one) in enumerate(encoders.items()):
        series, ratio = comparison.rivals[number], comparison.ratio(number)
        error = 1 - (one.embed_speech(waves).vectors * expected).sum(1).min()
        reached = work / 1e9 / float(np.median(series.cpu_s)) / rates[name]
        faster = type(ratio)(1 / ratio.median, 1 / ratio.high, 1 / ratio.low)
        rows.append(what | series.row() | {"speed-up": faster, "cosine error": error, "of the roof": reached})
    return rows


def noise(seconds: float, batch: int, seed: int) -> list[NDArray[np.float32]]:
    """White noise, no louder than speech."""
    chance = np.random.default_rng(seed)
    return [0.1 * chance.standard_normal(int(seconds * SAMPLE_RATE), np.float32) for _ in range(batch)]


@torch.no_grad()
def flops(network: SpeechClip, waves: Sequence[NDArray[np.float32]]) -> int:
    """Operations of the model's products, with nothing computed that nobody reads: a multiplication and an addition."""
    with FlopCounterMode(display=False) as counter:
        network.embed_speech(*pad(waves[:1]))
    total: int = counter.get_total_flops()
    return total * len(waves)


def matmul_rate(kind: torch.dtype) -> float:
    """Billions of operations in a second of CPU time: the best of a few products of large matrices."""
    x, layer = torch.randn(_SIDE, _SIDE).to(kind), PackedLinear(torch.randn(_SIDE, _SIDE), None, kind)
    best = float("inf")
    for _ in range(8):
        started = time.process_time()
        layer(x)
        best = min(best, time.process_time() - started)
    return 2 * _SIDE**3 / 1e9 / best
