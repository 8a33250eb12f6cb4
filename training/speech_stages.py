"""Stages 3 and 5, which run the audio encoder: it learns to listen, and at the end it is tuned with the head.

Listening stands in HuBERT's place: CTC on phonemes. In tuning, the encoder is not frozen as HuBERT is in the paper,
because it has heard far less than HuBERT; it keeps a share of the CTC loss.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor

from models.hubert import Frames
from training.batches import Batch, BatchStream, SpokenCorpus, stream
from training.checkpoint import load_stage, save_stage
from training.ctc import PhonemeLoss
from training.listener import Listener
from training.optimiser import Optimiser, autocast
from training.pairs import PairLoss
from training.recipe import Stage

CTC_WEIGHT = 1.0
SAVE_EVERY = 100
REPORT_EVERY = 500

Objective = Callable[[Frames, Batch, np.random.Generator], Mapping[str, Tensor]]
Report = Callable[[Listener], Mapping[str, object]]


def listening(listener: Listener, phonemes: PhonemeLoss) -> Objective:
    return lambda frames, batch, rng: {"ctc": phonemes(listener, frames, batch.phrases)}


def tuning(listener: Listener, phonemes: PhonemeLoss, pairs: PairLoss) -> Objective:
    def losses(frames: Frames, batch: Batch, rng: np.random.Generator) -> Mapping[str, Tensor]:
        vectors = listener.embed(frames)
        return {
            "pairs": pairs(vectors, listener.scale.exp(), batch.phrases, rng),
            "ctc": CTC_WEIGHT * phonemes(listener, frames, batch.phrases),
        }

    return losses


def train_speech(
    checkpoint: Path,
    listener: Listener,
    objective: Objective,
    corpus: tuple[SpokenCorpus, NDArray[np.float64]],
    stage: Stage,
    seed: int,
    report: Report | None = None,
) -> None:
    """Run one stage, or go on from its checkpoint; the losses that `objective` gives are added up."""
    # Padding and silence make numbers so small that the processor would handle them in software.
    torch.set_flush_denormal(True)
    optimiser = Optimiser([listener], stage)
    first = load_stage(checkpoint, listener, optimiser)
    batches = stream(BatchStream(corpus[0], stage.batch, seed + first, corpus[1]))
    log = _Log(checkpoint.stem, first)
    with Progress() as progress:
        bar = progress.add_task(checkpoint.stem, total=stage.steps, completed=first)
        for number in range(first, stage.steps):
            learning = stage.thawed is None or number < stage.thawed
            listener.audio_encoder.hubert.feature_extractor.requires_grad_(learning)
            losses = _step(listener, objective, optimiser, next(batches), number, seed)
            log.add(losses)
            progress.update(bar, advance=1)
            last = number + 1 == stage.steps
            if (number + 1) % SAVE_EVERY == 0 or last:
                save_stage(checkpoint, listener, optimiser, number + 1)
                log.line(number + 1)
            if report is not None and ((number + 1) % REPORT_EVERY == 0 or last):
                print(checkpoint.stem, number + 1, dict(report(listener)), flush=True)


def _step(
    listener: Listener, objective: Objective, optimiser: Optimiser, batch: Batch, number: int, seed: int
) -> Mapping[str, float]:
    with autocast():
        frames = listener.frames(batch)
        losses = objective(frames, batch, np.random.default_rng((seed, number)))
    optimiser.step(torch.stack(list(losses.values())).sum(), number)
    return {name: loss.item() for name, loss in losses.items()}


class _Log:
    """The mean of each loss since the last line, and the seconds of a step."""

    def __init__(self, name: str, first: int) -> None:
        self._name, self._since, self._started = name, first, time.monotonic()
        self._sums: dict[str, float] = {}

    def add(self, losses: Mapping[str, float]) -> None:
        for name, loss in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + loss

    def line(self, step: int) -> None:
        count, now = step - self._since, time.monotonic()
        means = " ".join(f"{name} {total / count:.3f}" for name, total in self._sums.items())
        print(f"{self._name} {step}: {means}, {(now - self._started) / count:.2f} s a step", flush=True)
        self._since, self._started, self._sums = step, now, {}
