"""Stages 4 and 6, which run the audio encoder: it learns to listen, and at the end it is tuned with the head.

Listening stands in HuBERT's place: CTC on phonemes. In tuning, the encoder is not frozen as HuBERT is in the paper,
because it has heard far less than HuBERT; it keeps a share of the CTC loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.hubert import Frames
from training.nano.batches import Batch, BatchStream, SpokenCorpus, stream
from training.nano.ctc import PhonemeLoss
from training.nano.keyword_loss import KeywordLoss
from training.nano.listener import Listener
from training.nano.optimiser import Optimiser, autocast
from training.nano.pairs import PairLoss
from training.nano.recipe import Stage
from training.nano.steps import Losses, StageRun

CTC_WEIGHT = 1.0
SAVE_EVERY = 100
REPORT_EVERY = 500

Objective = Callable[[Frames, Batch, np.random.Generator], Losses]
Report = Callable[[Listener], Mapping[str, object]]


def listening(listener: Listener, phonemes: PhonemeLoss) -> Objective:
    return lambda frames, batch, rng: {"ctc": phonemes(listener, frames, batch.phrases)}


def tuning(listener: Listener, phonemes: PhonemeLoss, pairs: Sequence[PairLoss], keywords: KeywordLoss) -> Objective:
    def losses(frames: Frames, batch: Batch, rng: np.random.Generator) -> Losses:
        vectors = listener.embed(frames)
        return {
            "pairs": torch.stack([one(vectors, listener.scale.exp(), batch.phrases, rng) for one in pairs]).sum(),
            "ctc": CTC_WEIGHT * phonemes(listener, frames, batch.phrases),
            **keywords(listener, frames, batch.phrases),
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
    run = StageRun(checkpoint, listener, optimiser)
    batches = stream(BatchStream(corpus[0], stage.batch, seed + run.first, corpus[1]))

    def losses(number: int) -> Losses:
        learning = stage.thawed is None or number < stage.thawed
        listener.audio_encoder.hubert.feature_extractor.requires_grad_(learning)
        batch = next(batches)
        with autocast():
            return objective(listener.frames(batch), batch, np.random.default_rng((seed, number)))

    def tell(done: int) -> None:
        if report is not None and (done % REPORT_EVERY == 0 or done == stage.steps):
            print(checkpoint.stem, done, dict(report(listener)), flush=True)

    run.train(losses, SAVE_EVERY, tell)
